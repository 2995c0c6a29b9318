/** External ids are any text: what is created under one is found under the same one, and under no other. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';

let site: Site;
let server: TestServer;

beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
});

afterAll(async () => {
  await server?.stop();
  await site?.remove();
});

const awkward = [
  'with spaces inside',
  'a/b/c',
  '/leading/slash',
  '...',
  '../../etc/passwd',
  'a%2Fb',
  'a%252Fb',
  '100%',
  '?query=1#hash',
  'a:b:c',
  '#begins-like-a-digest',
  '=begins-like-a-key',
  'quote\'s "double" `back`',
  'tab\tand\nnewline',
  '\u202Eright to left',
  'é',
  'e\u0301',
  '🙂'.repeat(256),
  'x'.repeat(256),
  'Session_1',
  'run_1',
  'null',
  '{"json":true}',
  '<script>alert(1)</script>',
];

describe('an external id', () => {
  test.each(awkward)('%j makes one session that is found again', async (externalId) => {
    const first = await server.api.create({ externalId });
    expect(first).toMatchObject({ status: 201, body: { externalId } });
    const second = await server.api.create({ externalId });
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id, runId: first.body.runId } });
    const read = await server.api.session(externalId);
    expect(read).toMatchObject({ status: 200, body: { id: first.body.id, externalId } });
  });

  test('differs from every other: no two of them share a session', async () => {
    const answers = await Promise.all(awkward.map((externalId) => server.api.create({ externalId })));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(awkward.length);
  });

  test('is trimmed on create, and a path is not', async () => {
    const first = await server.api.create({ externalId: '  \t leading and trailing \n' });
    expect(first).toMatchObject({ status: 201, body: { externalId: 'leading and trailing' } });
    expect(await server.api.create({ externalId: 'leading and trailing' })).toMatchObject({
      status: 200,
      body: { id: first.body.id },
    });
    expect((await server.api.session(' leading and trailing')).status).toBe(404);
  });

  test('with the reserved prefix is refused, and a path with it never falls back to an external id', async () => {
    const refused = await server.api.create({ externalId: ' session_mine' });
    expect(refused.status).toBe(422);
    expect(refused.body.details).toEqual([
      {
        code: 'custom',
        message: "externalId cannot start with 'session_' (reserved prefix for internal friendlyIds)",
        path: ['externalId'],
      },
    ]);
    expect((await server.api.session('session_mine')).status).toBe(404);
  });
});
