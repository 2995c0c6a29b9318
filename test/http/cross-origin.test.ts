/** What a page of another origin may read: every route, every kind of answer (protocol section 1.4). */
import { describe, expect, test } from 'vitest';
import { sessionIdOf } from '../../src/domain/ids.ts';
import { writeBodyBytesMax } from '../../src/domain/limits.ts';
import { routesOf } from '../../src/http/app.ts';
import { type HttpParts, noRateLimits, type RateLimits } from '../../src/http/http-parts.ts';
import type { Route } from '../../src/http/route.ts';
import { type Edge, refusingParts, refusingSnapshots, refusingStreams, refusingUseCases, startEdge } from './edge.ts';

const origin = 'https://app.example';

/** Of the protocol, route by route; signed URLs are ours, and are for whoever may call `snapshot-url`. */
const shared = [
  /^\/api\/v1\/sessions$/,
  /^\/api\/v1\/sessions\/:session(\/(close|end-and-continue|snapshot-url|transcript))?$/,
  /^\/realtime\/v1\/sessions\//,
  /^\/api\/v3\/runs\/:run$/,
  /^\/objects\/v1\//,
];

const exposed = [
  'x-trigger-jwt',
  'x-trigger-jwt-claims',
  'X-Stream-Version',
  'X-Session-Settled',
  'X-Last-Chunk-Index',
  'x-should-retry',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'X-S2-Access-Token',
  'X-S2-Basin',
  'X-S2-Stream-Name',
  'X-S2-Endpoint',
  'X-S2-Flush-Interval-Ms',
  'X-S2-Max-Retries',
];

const routes = routesOf(refusingParts);

const bodies: Readonly<Record<string, unknown>> = {
  'POST /api/v1/sessions': {
    type: 't',
    taskIdentifier: 'task',
    externalId: 'chat_1',
    triggerConfig: { basePayload: {} },
  },
  'PATCH /api/v1/sessions/:session': { tags: [] },
  'POST /api/v1/sessions/:session/end-and-continue': { callingRunId: 'run_1', reason: 'manual' },
};

/** A request of the route that is in order. */
function requestOf({ method, path }: Route): [string, RequestInit] {
  if (path.startsWith('/objects/')) {
    const grant = { method: method as 'GET' | 'PUT', sessionId: sessionIdOf('a'.repeat(25)), writer: null };
    return [refusingSnapshots.urls.sign(grant), { method, ...(method === 'PUT' ? { body: 'x' } : {}) }];
  }
  if (method === 'POST' && path.endsWith('/records')) {
    return [pathOf(path.replace(':io', 'out')), { method, body: JSON.stringify({ records: [{ data: 1 }] }) }];
  }
  const body = bodies[`${method} ${path}`] ?? (method === 'POST' ? {} : undefined);
  return [pathOf(path), { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }];
}

const pathOf = (path: string): string =>
  path
    .replace(':session', 'chat_1')
    .replace(':channel', 'side')
    .replace(':io', 'in')
    .replace(':run', 'run_1')
    .replace(':waitpoint', `waitpoint_${'a'.repeat(25)}`);

function expectShared({ headers }: Response): void {
  expect(headers.get('access-control-allow-origin')).toBe(origin);
  expect(headers.get('vary')?.split(/, */)).toContain('Origin');
  expect(headers.get('access-control-allow-credentials')).toBeNull();
  expect(headers.get('access-control-expose-headers')?.split(',')).toEqual(exposed);
}

const expectPrivate = ({ headers }: Response): void =>
  expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);

const over = async () => ({ max: 1, left: 0, resetAtMs: Date.now() + 1_000, isOver: true });
const rateLimits: RateLimits = { ...noRateLimits, callers: { take: over, look: over } };
const nobody = async () => null;
const absent: Partial<HttpParts> = {
  useCases: { ...refusingUseCases, retrieveSession: nobody, retrieveRun: nobody },
  streams: { ...refusingStreams, locate: nobody },
  snapshots: { ...refusingSnapshots, store: { read: nobody, write: async () => 'refused' } },
};

/** Each with the statuses that it can bring about; a route that it does not concern answers otherwise and is skipped. */
const occasions: Readonly<
  Record<
    string,
    { ask: (edge: Edge, route: Route) => Promise<Response>; parts?: Partial<HttpParts>; statuses: readonly number[] }
  >
> = {
  'without a credential': {
    ask: (edge, route) => send(edge, route, { key: null }),
    statuses: [401],
  },
  'with a wrong method': {
    ask: (edge, route) => send(edge, route, { method: 'DELETE' }),
    statuses: [405],
  },
  'with a path that is no text': {
    ask: (edge, { method, path }) => edge.fetch(path.replace(/:\w+/g, '%ff'), { method, headers: { origin } }),
    statuses: [400, 403, 422],
  },
  'with a body that is too large': {
    ask: (edge, route) => send(edge, route, { body: 'x'.repeat(writeBodyBytesMax + 1) }),
    statuses: [413, 422],
  },
  'with a body that is no JSON': {
    ask: (edge, route) => send(edge, route, { body: '{' }),
    statuses: [400, 422],
  },
  'when the session is not there': {
    ask: (edge, route) => send(edge, route, {}),
    parts: absent,
    statuses: [404, 409],
  },
  'over its rate': {
    ask: (edge, route) => send(edge, route, {}),
    parts: { rateLimits },
    statuses: [429],
  },
  'when something fails inside': {
    ask: (edge, route) => send(edge, route, {}),
    statuses: [500],
  },
};

function send(edge: Edge, route: Route, changes: RequestInit & { key?: string | null }): Promise<Response> {
  const [path, init] = requestOf(route);
  return edge.fetch(path, { ...init, ...changes, headers: { origin } });
}

const takesBody = ({ method }: Route): boolean => method === 'POST' || method === 'PATCH';

/** Which occasions concern which route. */
const concerns: Readonly<Record<keyof typeof occasions, (route: Route) => boolean>> = {
  'without a credential': ({ credential }) => credential !== 'none',
  'with a wrong method': () => true,
  'with a path that is no text': ({ path }) => path.includes('/:'),
  'with a body that is too large': (route) =>
    takesBody(route) && !/(claims|cancel|tokens\/:waitpoint\/wait)$/.test(route.path),
  'with a body that is no JSON': (route) =>
    takesBody(route) && !/(claims|cancel|append|tokens\/:waitpoint\/wait)$/.test(route.path),
  // Streams may be read, and initialised, before their session is there.
  'when the session is not there': ({ path }) =>
    path.includes(':session') && (!path.startsWith('/realtime') || path.endsWith('/append')),
  'over its rate': ({ credential }) => credential !== 'none',
  'when something fails inside': ({ path }) => shared.some((pattern) => pattern.test(path)),
};

describe.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', (_, route) => {
  const isShared = shared.some((pattern) => pattern.test(route.path));

  test('answers its preflight before any credential, or has none', async () => {
    const edge = await startEdge();
    const requested =
      'authorization,content-type,x-part-id,last-event-id,timeout-seconds,x-peek-settled,x-anything-else';
    const answer = await edge.fetch(pathOf(route.path), {
      method: 'OPTIONS',
      key: 'tr_dev_nobody_has_this_one',
      headers: { origin, 'access-control-request-method': route.method, 'access-control-request-headers': requested },
    });
    expect(answer.status).toBe(isShared ? 200 : 405);
    if (isShared) {
      expect(await answer.json()).toEqual({});
      expectShared(answer);
      expect(answer.headers.get('access-control-allow-methods')).toBe('GET,HEAD,PUT,PATCH,POST,DELETE');
      expect(answer.headers.get('access-control-allow-headers')).toBe(requested);
      expect(answer.headers.get('access-control-max-age')).toBe('300');
      expect(answer.headers.get('vary')?.split(/, */)).toContain('Access-Control-Request-Headers');
    } else {
      expectPrivate(answer);
      await answer.text();
    }
    await edge.close();
  });

  const concerned = Object.keys(occasions).filter((name) => concerns[name]?.(route) ?? false);
  test.each(concerned)('%s it can be read by whom it may concern', async (name) => {
    const occasion = occasions[name];
    if (occasion === undefined) throw new Error(`no occasion ${name}`);
    const edge = await startEdge(occasion.parts ?? {});
    const answer = await occasion.ask(edge, route);
    expect(occasion.statuses).toContain(answer.status);
    if (isShared) expectShared(answer);
    else expectPrivate(answer);
    await answer.text();
    await edge.close();
  });
});

test('every route of the protocol that is shared is there', () => {
  for (const pattern of shared) expect(routes.some(({ path }) => pattern.test(path))).toBe(true);
});
