import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Unavailable } from '../../src/domain/failure.ts';
import { createKeyRing } from '../../src/tokens/key-ring.ts';
import { sealer } from '../tokens/stored-keys.ts';
import { type Edge, headOf, openRaw, publicToken, refusingUseCases, secretKey, startEdge } from './edge.ts';

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.close());

const jsonOf = async (response: Response) => [response.status, await response.json()];

describe('credentials', () => {
  const missing = { error: 'Invalid or Missing API key' };
  const unknown = { error: 'Invalid API key' };

  test.each([
    ['none', {}, missing],
    ['another scheme', { authorization: 'Basic dHJfZGV2Xw==' }, missing],
    ['an empty bearer', { authorization: 'Bearer ' }, missing],
    ['two bearers', { authorization: 'Bearer a b' }, missing],
    ['an unknown key', { authorization: 'Bearer tr_dev_unknown000000000' }, unknown],
    ['a key with another ending', { authorization: `Bearer ${secretKey}x` }, unknown],
    ['a key in other letters', { authorization: `Bearer ${secretKey.toUpperCase()}` }, unknown],
    ['a very long key', { authorization: `Bearer tr_dev_${'x'.repeat(10_000)}` }, unknown],
    [
      'a very long token',
      { authorization: `Bearer a.${'x'.repeat(10_000)}.c` },
      { error: 'Public Access Token is invalid' },
    ],
  ])('%s', async (_, headers, body) => {
    for (const [method, path] of [
      ['POST', '/api/v1/sessions'],
      ['GET', '/api/v1/sessions/chat_1'],
    ] as const) {
      expect(await jsonOf(await edge.fetch(path, { method, headers, key: null }))).toEqual([401, body]);
    }
  });

  test('a public token opens no route that wants a secret key', async () => {
    const key = await publicToken('admin');
    const answer = await edge.fetch('/api/v1/runs/run_1/claim', { method: 'POST', key, body: '{"attempt":1}' });
    expect(await jsonOf(answer)).toEqual([401, unknown]);
  });

  test('a token without the scope is told so in the words of the SDK', async () => {
    const key = await publicToken('read:sessions');
    const body = JSON.stringify({ type: 't', taskIdentifier: 'task', triggerConfig: { basePayload: {} } });
    expect(await jsonOf(await edge.fetch('/api/v1/sessions', { method: 'POST', key, body }))).toEqual([
      403,
      { error: 'Unauthorized', code: 'unauthorized', param: 'access_token', type: 'authorization' },
    ]);
  });

  test('the credential is judged before the body', async () => {
    const answer = await edge.fetch('/api/v1/sessions', { method: 'POST', key: 'tr_dev_unknown000000000', body: 'x' });
    expect(answer.status).toBe(401);
  });

  test('while no key was ever loaded the database is named, and a client is told to come back', async () => {
    const listLiveKeys = () => Promise.reject(new Unavailable('database'));
    const keys = createKeyRing({ listLiveKeys, sealer, report: () => undefined, now: () => performance.now() });
    const down = await startEdge({ keys });
    const answer = await down.fetch('/api/v1/sessions/chat_1');
    expect(await jsonOf(answer)).toEqual([503, { error: 'The database is not available; try again' }]);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(down.facts).toContainEqual(expect.objectContaining({ kind: 'part_unavailable' }));
    await down.close();
  });
});

describe('paths and methods', () => {
  test.each([
    '/',
    '/api/v1/session',
    '/api/v1/sessions/',
    '/api/v1/sessions/a/b',
    '/API/v1/sessions',
    '/api//v1/sessions',
  ])('%s is not found, in JSON', async (path) => {
    expect(await jsonOf(await edge.fetch(path))).toEqual([404, { error: 'Not found' }]);
  });

  test.each([
    ['DELETE', '/api/v1/sessions', 'POST, HEAD, GET'],
    ['PUT', '/api/v1/sessions/chat_1', 'HEAD, GET, PATCH'],
    ['POST', '/api/v3/runs/run_1', 'HEAD, GET'],
    ['PATCH', '/api/v2/runs/run_1/cancel', 'POST'],
  ])('%s %s names what is allowed', async (method, path, allow) => {
    const answer = await edge.fetch(path, { method, key: null });
    expect(answer.headers.get('allow')).toBe(allow);
    expect(await jsonOf(answer)).toEqual([405, { error: 'Method not allowed' }]);
  });

  test.each(['/api/v1/sessions/chat_1/close', '/api/v2/runs/run_1/cancel'])(
    'GET %s answers 405 with an empty body',
    async (path) => {
      const answer = await edge.fetch(path);
      expect([answer.status, answer.headers.get('allow'), await answer.text()]).toEqual([405, 'POST', '']);
    },
  );

  test.each(['%', '%zz', '%ff', '%ed%a0%80', 'a%00b', '%c3'])(
    'a segment %j that is no text is a bad parameter',
    async (part) => {
      const answer = await edge.fetch(`/api/v1/sessions/${part}`);
      const [status, body] = await jsonOf(answer);
      expect(status).toBe(400);
      expect(body).toMatchObject({ error: 'Params Error', details: [{ code: 'custom', path: ['session'] }] });
    },
  );

  test('an encoded slash, a dot segment and every other character stay inside their segment', async () => {
    const seen: string[] = [];
    const retrieveSession = ({ key }: { key: string }) => {
      seen.push(key);
      return Promise.resolve(null);
    };
    const parts = await startEdge({ useCases: { ...refusingUseCases, retrieveSession } });
    const keys = ['a/b', 'a%2Fb', '..', ' lead', '🙂'.repeat(128), 'é', 'a?b#c', 'a:b', '__proto__', 'chat+1'];
    for (const key of keys) {
      const client = await openRaw(parts.port);
      const path = `/api/v1/sessions/${encodeURIComponent(key).replaceAll('.', '%2E')}?secret=1`;
      client.send(headOf('GET', path, { Connection: 'close' }));
      await expect.poll(() => client.isEnded()).toBe(true);
      expect(client.received()).toContain('404 Not Found');
      expect(client.received()).toContain('x-should-retry: false');
    }
    expect(seen).toEqual(keys);
    await parts.close();
  });

  test.each([
    ['GET', '/api/v1/sessions/\xc3\xa9', 400],
    ['GET', 'http://api.test/api/v2/runs/run_1/cancel', 405],
    ['GET', 'http://[', 400],
    ['GET', 'http://api.test?x', 404],
    ['OPTIONS', '*', 404],
    ['GET', '//api/v1/sessions', 404],
  ])('the request line %s %s is answered with %i and is no fault', async (method, target, status) => {
    const client = await openRaw(edge.port);
    client.send(Buffer.from(headOf(method, target, { Connection: 'close', 'x-request-id': 'line' }), 'latin1'));
    await expect.poll(() => client.isEnded()).toBe(true);
    expect(client.received()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(edge.facts.filter((fact) => fact.kind === 'request_failed' && fact.requestId === 'line')).toEqual([]);
  });
});

describe('browsers', () => {
  const origin = 'https://app.example';
  const expectShared = (answer: Response): void => {
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
    expect(answer.headers.get('vary')).toContain('Origin');
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
    const exposed = answer.headers.get('access-control-expose-headers')?.split(',') ?? [];
    expect(exposed.slice(0, 2)).toEqual(['x-trigger-jwt', 'x-trigger-jwt-claims']);
    expect(exposed).toContain('X-Stream-Version');
    expect(exposed).not.toContain('*');
  };

  test.each(['/api/v1/sessions', '/api/v1/sessions/a%2Fb', '/api/v3/runs/run_1'])(
    'the preflight of %s is answered before any credential',
    async (path) => {
      const headers = {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,x-part-id',
      };
      const answer = await edge.fetch(path, { method: 'OPTIONS', headers, key: null });
      expect(await jsonOf(answer)).toEqual([200, {}]);
      expectShared(answer);
      expect(answer.headers.get('access-control-allow-methods')).toBe('GET,HEAD,PUT,PATCH,POST,DELETE');
      expect(answer.headers.get('access-control-allow-headers')).toBe('authorization,x-part-id');
      expect(answer.headers.get('access-control-max-age')).toBe('300');
      expect(answer.headers.get('vary')).toContain('Access-Control-Request-Headers');
    },
  );

  test.each<[string, string, RequestInit & { key?: string | null }, number]>([
    ['GET', '/api/v1/sessions/chat_1', { key: null }, 401],
    ['GET', '/api/v1/sessions/%zz', {}, 400],
    ['DELETE', '/api/v1/sessions', {}, 405],
    ['POST', '/api/v1/sessions', { body: 'x'.repeat(40_000) }, 422],
    ['POST', '/api/v1/sessions', { body: '{}' }, 422],
    ['GET', '/api/v1/sessions/chat_1', {}, 500],
    ['GET', '/api/v3/runs/nonsense', {}, 404],
  ])('%s %s can be read by a page, whatever its status', async (method, path, init, status) => {
    const answer = await edge.fetch(path, { ...init, method, headers: { origin } });
    expect(answer.status).toBe(status);
    expectShared(answer);
    await answer.text();
  });

  test('without an Origin none is allowed', async () => {
    const answer = await edge.fetch('/api/v1/sessions/chat_1', { key: null });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test.each([
    ['OPTIONS', '/api/v2/runs/run_1/cancel', 405],
    ['OPTIONS', '/api/v1/runs/run_1/claim', 405],
    ['POST', '/api/v1/runs/run_1/claim', 401],
    ['GET', '/healthz', 200],
    ['OPTIONS', '/nowhere', 404],
  ])('%s %s shares nothing', async (method, path, status) => {
    const answer = await edge.fetch(path, { method, headers: { origin }, key: null });
    expect(answer.status).toBe(status);
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    await answer.text();
  });
});

describe('faults', () => {
  test('a fault says that there was one and nothing else; its cause is told inside', async () => {
    const answer = await edge.fetch('/api/v1/sessions/chat_1', { headers: { 'x-request-id': 'request-7' } });
    expect(await jsonOf(answer)).toEqual([500, { error: 'Something went wrong' }]);
    expect(answer.headers.get('x-request-id')).toBe('request-7');
    expect(edge.facts).toContainEqual(
      expect.objectContaining({ kind: 'request_failed', requestId: 'request-7', route: '/api/v1/sessions/:session' }),
    );
    expect(JSON.stringify(edge.facts)).not.toContain('chat_1');
  });

  test('every answer carries a request id and forbids sniffing; a strange id is not taken over', async () => {
    const answer = await edge.fetch('/nowhere', { headers: { 'x-request-id': 'a b"<>' } });
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('x-powered-by')).toBeNull();
    await answer.text();
  });
});

describe('health', () => {
  test('the process says that it lives without asking anybody', async () => {
    expect(await jsonOf(await edge.fetch('/healthz', { key: null }))).toEqual([200, { status: 'ok' }]);
    expect((await edge.fetch('/healthz', { method: 'HEAD', key: null })).status).toBe(200);
  });

  test('readiness names the part that is down, also one that does not answer at all', async () => {
    const state = { database: true, temporal: true };
    const probes = {
      database: () => (state.database ? Promise.resolve() : Promise.reject(new Error(secretKey))),
      temporal: () => (state.temporal ? Promise.resolve() : new Promise<void>(() => undefined)),
    };
    const probed = await startEdge({ probes });
    const ready = () => probed.fetch('/readyz', { key: null }).then(jsonOf);
    expect(await ready()).toEqual([200, { status: 'ready', parts: { database: 'up', temporal: 'up' } }]);
    state.database = false;
    expect(await ready()).toEqual([503, { status: 'unavailable', parts: { database: 'down', temporal: 'up' } }]);
    state.temporal = false;
    expect(await ready()).toEqual([503, { status: 'unavailable', parts: { database: 'down', temporal: 'down' } }]);
    await probed.close();
  });
});
