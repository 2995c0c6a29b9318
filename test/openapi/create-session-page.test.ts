/**
 * The document against the public page of Create session: `create-session-page.json` holds that page's OpenAPI block
 * without its prose. What the page says must be there and the same; what we say beyond it is listed here.
 */
import { expect, test } from 'vitest';
import { apiDocument } from '../harness/api-document.ts';
import { compareSchemas } from './compare-schemas.ts';
import page from './create-session-page.json' with { type: 'json' };

const path = '/api/v1/sessions';
const pageCreate = page.paths[path].post;
const ourCreate = apiDocument.paths[path].post;

/** Bodies that callers send: a key that we require and the page does not would break them. */
const sent = new Set(['CreateSessionRequestBody', 'SessionTriggerConfig']);

const compared = Object.entries(page.components.schemas).map(([name, schema]) => {
  const required = sent.has(name) ? 'equal' : 'at least';
  return compareSchemas(schema, apiDocument.components.schemas[name], { path: name, required });
});

test('nothing that the page says of a schema is missing or different', () => {
  expect(compared.flatMap(({ differences }) => differences)).toEqual([]);
});

test('what we say beyond the page is this', () => {
  expect(compared.flatMap(({ additions }) => additions).sort()).toEqual(
    [
      'CreatedSessionResponseBody.allOf[1].pendingVersion',
      'SessionObject required closedAt',
      'SessionObject required closedReason',
      'SessionObject required expiresAt',
      'SessionObject required externalId',
      'SessionObject required metadata',
      // The page gives an example of a machine; the SDK's type lists them.
      'SessionTriggerConfig.machine enum',
      // Sent by the SDK.
      'SessionTriggerConfig.concurrency',
      'SessionTriggerConfig.concurrencyKey',
      'SessionTriggerConfig.externalDeploymentId',
      'SessionTriggerConfig.ttl',
      // Bounds that the page leaves open: docs/decisions/0002-bounds-the-page-leaves-open.md.
      'SessionTriggerConfig.lockToVersion maxLength',
      'SessionTriggerConfig.maxDuration maximum',
      'SessionTriggerConfig.region maxLength',
    ].sort(),
  );
});

test('the operation has the page’s name, body and credentials', () => {
  expect(ourCreate).toMatchObject({
    operationId: pageCreate.operationId,
    security: pageCreate.security,
    requestBody: pageCreate.requestBody,
  });
});

test('each status of the page is there, with its schema', () => {
  expect(Object.keys(pageCreate.responses)).toEqual(['200', '201', '401', '409', '422']);
  expect(ourCreate.responses).toMatchObject(pageCreate.responses);
});

test('both kinds of credential are what the page says', () => {
  expect(apiDocument.components.securitySchemes).toMatchObject(page.components.securitySchemes);
  expect(apiDocument.security).toEqual(page.security);
});

test('a difference of each kind is found', () => {
  const whole = {
    type: 'object',
    required: ['a'],
    properties: { a: { type: 'string', maxLength: 3 }, b: { type: 'string', nullable: true } },
  };
  const differing = (properties: object, required = ['a']) =>
    compareSchemas(whole, { type: 'object', required, properties }, { path: 'x', required: 'equal' }).differences;
  const b = { type: ['string', 'null'] };
  expect(differing({ a: { type: 'string', maxLength: 3 }, b })).toEqual([]);
  expect(differing({ a: { type: 'string', maxLength: 4 }, b })).toEqual(['x.a maxLength']);
  expect(differing({ a: { type: 'string' }, b })).toEqual(['x.a maxLength']);
  expect(differing({ a: { type: 'number', maxLength: 3 }, b })).toEqual(['x.a type']);
  expect(differing({ a: { type: 'string', maxLength: 3 }, b: { type: 'string' } })).toEqual(['x.b nullable']);
  expect(differing({ b })).toEqual(['x.a']);
  expect(differing({ a: { type: 'string', maxLength: 3 }, b }, [])).toEqual(['x required a']);
  expect(differing({ a: { type: 'string', maxLength: 3 }, b }, ['a', 'b'])).toEqual(['x required b']);
});
