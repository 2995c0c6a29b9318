/** Every route against every kind of credential (protocol section 2.4): who is let in, and what the others can tell. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operations } from '../harness/api-document.ts';
import { isExecuting } from '../workflows/stage.ts';
import { openSessionStage, type SessionStage } from './session-stage.ts';

let stage: SessionStage;
const targets = { own: '', ownId: '', runId: '', attemptKey: '' };

beforeAll(async () => {
  stage = await openSessionStage();
  const own = await stage.open('hold');
  await stage.open('quick', { externalId: 'another' });
  await stage.api.runWhen(own.runId, isExecuting);
  const claim = await stage.api.call(`/api/v1/runs/${own.runId}/claim`, { method: 'POST', body: { attempt: 1 } });
  Object.assign(targets, {
    own: own.externalId,
    ownId: own.id,
    runId: own.runId,
    attemptKey: claim.body.attemptKey,
  });
});

afterAll(async () => {
  await stage?.stop();
});

const credentials = {
  none: async () => null,
  garbage: async () => 'tr_dev_nobody_has_this',
  'forged token': async () => `${await stage.tokenOf('admin')}x`,
  'secret key': async () => stage.site.devKey,
  'key of an attempt': async () => targets.attemptKey,
  'key of another environment': async () => stage.site.prodKey,
  'own session by external id': () => stage.tokenOf(`read:sessions:${targets.own}`, `write:sessions:${targets.own}`),
  'own session by id': () => stage.tokenOf(`read:sessions:${targets.ownId}`, `write:sessions:${targets.ownId}`),
  'another session': () => stage.tokenOf('read:sessions:another', 'write:sessions:another'),
  'read only': () => stage.tokenOf('read:sessions'),
  'own task': () => stage.tokenOf('read:tasks:hold', 'write:tasks:hold'),
  admin: () => stage.tokenOf('admin'),
  'admin of sessions': () => stage.tokenOf('admin:sessions'),
  'admin of own session': () => stage.tokenOf(`admin:sessions:${targets.own}`),
} satisfies Record<string, () => Promise<string | null>>;
type Credential = keyof typeof credentials;

interface RouteCase {
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly path: (key: string) => string;
  readonly body?: () => unknown;
  /** In the order of `columns`. */
  readonly statuses: readonly number[];
}

const columns: readonly Credential[] = [
  'none',
  'garbage',
  'forged token',
  'secret key',
  'key of an attempt',
  'key of another environment',
  'own session by external id',
  'own session by id',
  'another session',
  'read only',
  'own task',
  'admin',
  'admin of sessions',
  'admin of own session',
];

const session = (rest: string) => (key: string) => `/api/v1/sessions/${encodeURIComponent(key)}${rest}`;
const handOver = () => ({ callingRunId: targets.runId, reason: 'manual' });
const create = () => ({
  type: 'chat.agent',
  taskIdentifier: 'hold',
  externalId: targets.own,
  triggerConfig: { basePayload: {} },
});

/** In this order: all but the last are asked of an open session, and only the last makes one in the other environment. */
const routes: readonly RouteCase[] = [
  {
    name: 'list',
    method: 'GET',
    path: () => '/api/v1/sessions',
    statuses: [401, 401, 401, 200, 200, 200, 403, 403, 403, 200, 403, 200, 403, 403],
  },
  {
    name: 'list of a task',
    method: 'GET',
    path: () => '/api/v1/sessions?filter[taskIdentifier]=hold',
    statuses: [401, 401, 401, 200, 200, 200, 403, 403, 403, 200, 200, 200, 403, 403],
  },
  {
    name: 'list of two tasks',
    method: 'GET',
    path: () => '/api/v1/sessions?filter[taskIdentifier]=hold,quick',
    statuses: [401, 401, 401, 200, 200, 200, 403, 403, 403, 200, 403, 200, 403, 403],
  },
  {
    name: 'retrieve',
    method: 'GET',
    path: session(''),
    statuses: [401, 401, 401, 200, 200, 404, 200, 200, 403, 200, 403, 200, 403, 403],
  },
  {
    name: 'URL of a snapshot to read',
    method: 'GET',
    path: session('/snapshot-url'),
    statuses: [401, 401, 401, 200, 200, 404, 200, 200, 403, 200, 403, 200, 403, 403],
  },
  {
    name: 'URL of a snapshot to write',
    method: 'PUT',
    path: session('/snapshot-url'),
    statuses: [401, 401, 401, 200, 200, 404, 200, 200, 403, 403, 403, 200, 403, 403],
  },
  {
    name: 'transcript',
    method: 'GET',
    path: session('/transcript'),
    statuses: [401, 401, 401, 200, 200, 404, 401, 401, 401, 401, 401, 401, 401, 401],
  },
  {
    name: 'update',
    method: 'PATCH',
    path: session(''),
    body: () => ({ tags: ['seen'] }),
    statuses: [401, 401, 401, 200, 200, 404, 403, 403, 403, 403, 403, 200, 200, 200],
  },
  {
    name: 'write records',
    method: 'POST',
    path: (key) => `/realtime/v1/sessions/${encodeURIComponent(key)}/out/records`,
    body: () => ({ records: [{ data: 1 }] }),
    statuses: [401, 401, 401, 200, 200, 404, 403, 403, 403, 403, 403, 403, 403, 403],
  },
  {
    name: 'commit a cursor',
    method: 'POST',
    path: () => `/api/v1/runs/${targets.runId}/cursor`,
    body: () => ({ seq: 0 }),
    statuses: [401, 401, 401, 200, 200, 404, 401, 401, 401, 401, 401, 401, 401, 401],
  },
  {
    name: 'end-and-continue',
    method: 'POST',
    path: session('/end-and-continue'),
    body: handOver,
    statuses: [401, 401, 401, 200, 200, 404, 200, 200, 403, 403, 403, 200, 403, 403],
  },
  {
    name: 'retrieve run',
    method: 'GET',
    path: () => `/api/v3/runs/${targets.runId}`,
    statuses: [401, 401, 401, 200, 200, 404, 403, 403, 403, 403, 200, 200, 403, 403],
  },
  {
    name: 'cancel run',
    method: 'POST',
    path: () => `/api/v2/runs/${targets.runId}/cancel`,
    statuses: [401, 401, 401, 200, 200, 404, 403, 403, 403, 403, 200, 200, 403, 403],
  },
  {
    name: 'credential of a writer',
    method: 'PUT',
    path: () => `/realtime/v1/sessions/${targets.ownId}/out`,
    statuses: [401, 401, 401, 202, 202, 404, 403, 403, 403, 403, 403, 403, 403, 403],
  },
  {
    name: 'claim run',
    method: 'POST',
    path: () => `/api/v1/runs/${targets.runId}/claim`,
    body: () => ({ attempt: 1 }),
    statuses: [401, 401, 401, 409, 409, 404, 401, 401, 401, 401, 401, 401, 401, 401],
  },
  {
    name: 'wait on a stream',
    method: 'POST',
    path: () => `/api/v1/runs/${targets.runId}/session-streams/wait`,
    body: () => ({ session: targets.ownId, io: 'in' }),
    // By now the run has been cancelled.
    statuses: [401, 401, 401, 409, 409, 404, 401, 401, 401, 401, 401, 401, 401, 401],
  },
  {
    name: 'hold a waitpoint',
    method: 'POST',
    path: () => `/engine/v1/runs/${targets.runId}/waitpoints/tokens/waitpoint_${'0'.repeat(25)}/wait`,
    statuses: [401, 401, 401, 404, 404, 404, 401, 401, 401, 401, 401, 401, 401, 401],
  },
  {
    name: 'token claims',
    method: 'POST',
    path: () => '/api/v1/auth/jwt/claims',
    statuses: [401, 401, 401, 200, 200, 200, 401, 401, 401, 401, 401, 401, 401, 401],
  },
  {
    name: 'public tokens',
    method: 'POST',
    path: () => '/api/v1/auth/public-tokens',
    body: () => ({ scopes: ['read:sessions'] }),
    statuses: [401, 401, 401, 200, 200, 200, 401, 401, 401, 401, 401, 401, 401, 401],
  },
  {
    name: 'close',
    method: 'POST',
    path: session('/close'),
    body: () => ({}),
    statuses: [401, 401, 401, 200, 200, 404, 403, 403, 403, 403, 403, 200, 200, 200],
  },
  {
    name: 'create, of the session that is closed by now',
    method: 'POST',
    path: () => '/api/v1/sessions',
    body: create,
    statuses: [401, 401, 401, 409, 409, 201, 409, 409, 403, 403, 409, 409, 403, 403],
  },
];

/** Those of channels are in `streams.test.ts`. */
test('each operation of the API document that needs a credential has its row', () => {
  const targetsOfRows = routes.map(({ method, path }) => ({ method, target: path('chat_1').split('?')[0] ?? '' }));
  const missing = operations.filter(
    ({ needsCredential, tags, method, pattern }) =>
      needsCredential &&
      !tags.includes('channels') &&
      !targetsOfRows.some((row) => row.method === method && pattern.test(row.target)),
  );
  expect(missing.map(({ id }) => id)).toEqual([]);
});

const ask = async (route: RouteCase, path: string, credential: Credential) =>
  stage.api.call(path, {
    method: route.method,
    key: await credentials[credential](),
    ...(route.body === undefined ? {} : { body: route.body() }),
  });

describe.each(routes)('$name', (route) => {
  test('answers each credential as the table says, by either form of the key', async () => {
    const expected = Object.fromEntries(columns.map((column, index) => [column, route.statuses[index]]));
    const paths = new Set([targets.ownId, targets.own].map((key) => route.path(key)));
    for (const path of paths) {
      const statuses: Record<string, number> = {};
      for (const column of columns) statuses[column] = (await ask(route, path, column)).status;
      expect(statuses).toEqual(expected);
    }
  });
});

describe('I8: what a caller may not see, it cannot tell from what is not there', () => {
  const acting = routes.filter(({ method, path }) => method !== 'GET' && path('x') !== path('y'));

  test.each(acting.map((route) => [route.name, route] as const))('%s', async (_, route) => {
    for (const column of ['own session by external id', 'another session', 'read only'] as const) {
      // The token of the own session may not act on another one either.
      const hidden = column === 'own session by external id' ? 'another' : targets.own;
      const [there, absent] = [
        await ask(route, route.path(hidden), column),
        await ask(route, route.path('nobody'), column),
      ];
      expect(there.status).toBe(403);
      expect({ status: absent.status, body: absent.body }).toEqual({ status: there.status, body: there.body });
    }
    const [there, absent] = [
      await ask(route, route.path(targets.ownId), 'key of another environment'),
      await ask(route, route.path('nobody'), 'key of another environment'),
    ];
    expect(there.status).toBe(404);
    expect(absent.body).toEqual(there.body);
  });
});
