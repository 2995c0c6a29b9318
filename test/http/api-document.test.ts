/** `/openapi.json`, and the page that shows it without any network. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apiDocument } from '../harness/api-document.ts';
import { type Edge, startEdge } from './edge.ts';

let edge: Edge;

beforeAll(async () => {
  edge = await startEdge();
});

afterAll(() => edge?.close());

test('the document is served without a credential, and is the one that tests hold answers against', async () => {
  const answer = await edge.fetch('/openapi.json', { key: null });
  expect(answer.headers.get('content-type')).toMatch('application/json');
  expect(await answer.json()).toEqual(apiDocument);
});

describe('/docs', () => {
  test('forbids what other origins serve, and asks for nothing of theirs', async () => {
    const answer = await edge.fetch('/docs', { key: null });
    expect(answer.headers.get('content-type')).toMatch('text/html');
    expect(answer.headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'self';/);
    const page = await answer.text();
    expect(page).not.toMatch(/https?:|<script>/);
    const files = [...page.matchAll(/(?:src|href)="(docs\/[^"]+)"/g)].map(([, file]) => file ?? '');
    expect(files).toHaveLength(3);
    for (const file of files) {
      const asset = await edge.fetch(`/${file}`, { key: null });
      expect(asset.status).toBe(200);
      expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect((await asset.text()).length).toBeGreaterThan(50);
    }
  });

  test('sends the large file compressed, once made, and whole to who wants it so', async () => {
    const file = '/docs/swagger-ui-bundle.js';
    const [plain, zipped, again] = await Promise.all(
      ['identity', 'gzip', 'gzip'].map((encoding) =>
        edge.fetch(file, { key: null, headers: { 'Accept-Encoding': encoding } }),
      ),
    );
    expect(plain?.headers.get('content-encoding')).toBeNull();
    expect(zipped?.headers.get('content-encoding')).toBe('gzip');
    expect(Number(zipped?.headers.get('content-length'))).toBeLessThan(600_000);
    const text = await plain?.text();
    expect(await zipped?.text()).toBe(text);
    expect(await again?.text()).toBe(text);
  });

  test.each(['nothing.js', '..%2Fpackage.json', '__proto__', 'constructor'])('has no file %s', async (name) => {
    const answer = await edge.fetch(`/docs/${name}`, { key: null });
    expect(answer.status).toBe(404);
  });
});
