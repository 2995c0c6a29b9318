/** The API document by itself: valid, complete, and the same in every process. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { apiDocument } from '../harness/api-document.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly unknown[];
  readonly responses: Record<string, { readonly description: string }>;
}

const operations: readonly Operation[] = Object.values<Record<string, Operation>>(apiDocument.paths).flatMap(
  (methods) => Object.values(methods),
);

test('an independent validator takes it for OpenAPI 3.1', async () => {
  const validator = new Validator();
  expect(await validator.validate(structuredClone(apiDocument))).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
});

test('the validator refuses a document with a fault', async () => {
  const broken = structuredClone(apiDocument);
  broken.paths['/api/v1/sessions'].post.responses = { ok: 'yes' };
  expect(await new Validator().validate(broken)).toMatchObject({ valid: false });
});

test('each operation has a name of its own, a summary, and every answer its description', () => {
  const names = operations.map(({ operationId }) => operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const operation of operations) {
    expect(operation.summary).not.toBe('');
    expect(Object.values(operation.responses).map(({ description }) => description)).not.toContain('');
  }
});

test('every reference leads to a schema, and every schema is referred to', () => {
  const references = JSON.stringify(apiDocument).matchAll(/"#\/components\/schemas\/(\w+)"/g);
  const referred = new Set([...references].map(([, name]) => name));
  expect(referred).toEqual(new Set(Object.keys(apiDocument.components.schemas)));
});

test('a route that needs a credential says so, and how it answers without one', () => {
  const guarded = operations.filter(({ security }) => security.length > 0);
  expect(guarded.length).toBeGreaterThan(10);
  expect(guarded.filter(({ responses }) => responses['401'] === undefined)).toEqual([]);
});
