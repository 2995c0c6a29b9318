/** Every operation in every state of a session, on both databases: the table of protocol section 6. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, Call } from '../harness/api.ts';
import type { OpenedSession } from '../workflows/stage.ts';
import { openStateStage, type State, type StateStage, states } from './state-stage.ts';

const any = expect.any(String);
type Ended = 'open' | 'closed' | 'expired';

/** What an operation answers, by what the session is; `same` is for all three. */
interface Operation {
  readonly act: (stage: StateStage, session: OpenedSession) => Promise<Pick<Answer, 'status' | 'body'>>;
  readonly expected: Readonly<Record<Ended, readonly [status: number, body: unknown]>>;
}

const same = (status: number, body: unknown): Operation['expected'] => ({
  open: [status, body],
  closed: [status, body],
  expired: [status, body],
});

const call =
  (
    path: (session: OpenedSession) => string,
    options: (session: OpenedSession) => Call = () => ({}),
  ): Operation['act'] =>
  (stage, session) =>
    stage.api.call(path(session), options(session));

const post = (body: unknown) => () => ({ method: 'POST', body });
const stream = (rest: string) => (session: OpenedSession) => `/realtime/v1/sessions/${session.id}/${rest}`;

const appended: Operation['expected'] = {
  open: [200, { ok: true, seq: expect.any(Number) }],
  closed: [409, { ok: false, code: 'session_closed', error: 'Cannot append to a closed session', closedReason: any }],
  expired: [400, { ok: false, error: 'Cannot append to an expired session' }],
};

/** These leave a session as it is, so one session serves them all. */
const reading: Readonly<Record<string, Operation>> = {
  retrieve: {
    act: call(({ externalId }) => `/api/v1/sessions/${externalId}`),
    expected: {
      open: [200, { closedAt: null }],
      closed: [200, { closedAt: any }],
      expired: [200, { closedAt: null, expiresAt: any }],
    },
  },
  list: {
    act: async (stage, session) => {
      const filter = `filter[externalId]=${session.externalId}`;
      const { status, body } = await stage.api.call(`/api/v1/sessions?${filter}`);
      const shown: string[] = [];
      for (const each of ['ACTIVE', 'CLOSED', 'EXPIRED']) {
        const filtered = await stage.api.call(`/api/v1/sessions?${filter}&filter[status]=${each}`);
        if (filtered.body.data.length === 1) shown.push(each);
      }
      return { status, body: { count: body.data.length, shown } };
    },
    expected: {
      open: [200, { count: 1, shown: ['ACTIVE'] }],
      closed: [200, { count: 1, shown: ['CLOSED'] }],
      expired: [200, { count: 1, shown: ['EXPIRED'] }],
    },
  },
  'records of in': { act: call(stream('in/records')), expected: same(200, { records: expect.any(Array) }) },
  'records of out': { act: call(stream('out/records')), expected: same(200, { records: expect.any(Array) }) },
  'length of out': { act: call(stream('out'), () => ({ method: 'HEAD' })), expected: same(200, null) },
  'tail of out': {
    act: async ({ url, api }, session) => {
      // A token of the session's own, as a browser has it, minted before or after its end.
      const { body } = await api.call(
        '/api/v1/auth/public-tokens',
        post({ scopes: [`read:sessions:${session.id}`] })(),
      );
      const answer = await fetch(url + stream('out')(session), {
        headers: { Authorization: `Bearer ${body.token}`, 'Timeout-Seconds': '1' },
      });
      const text = await answer.text();
      return {
        status: answer.status,
        body: { isDone: text.endsWith('data: [DONE]\n\n'), isError: text.includes('event: error') },
      };
    },
    expected: same(200, { isDone: true, isError: false }),
  },
  transcript: { act: call(({ id }) => `/api/v1/sessions/${id}/transcript`), expected: same(200, { messages: [] }) },
  run: { act: call(({ runId }) => `/api/v3/runs/${runId}`), expected: same(200, { id: any }) },
};

/** Each of these has a session to itself. */
const acting: Readonly<Record<string, Operation>> = {
  create: {
    act: (stage, { externalId }) => stage.api.create({ externalId, taskIdentifier: 'quick', tags: ['again'] }),
    expected: {
      open: [200, { isCached: true, closedAt: null, tags: ['again'], runId: any }],
      closed: [409, { error: 'Session is closed; use a different externalId to create a new session' }],
      expired: [409, { error: 'Session is expired; use a different externalId to create a new session' }],
    },
  },
  update: {
    act: call(
      ({ id }) => `/api/v1/sessions/${id}`,
      () => ({ method: 'PATCH', body: { tags: ['late'], metadata: { a: 1 } } }),
    ),
    expected: same(200, { tags: ['late'], metadata: { a: 1 } }),
  },
  close: {
    act: call(({ id }) => `/api/v1/sessions/${id}/close`, post({ reason: 'late' })),
    expected: {
      open: [200, { closedAt: any, closedReason: 'late' }],
      closed: [200, { closedAt: any, closedReason: expect.stringMatching(/^(first|cancelled in Temporal)$/) }],
      expired: [200, { closedAt: any, closedReason: 'late' }],
    },
  },
  'end-and-continue': {
    act: call(
      ({ id }) => `/api/v1/sessions/${id}/end-and-continue`,
      ({ runId }) => ({ method: 'POST', body: { callingRunId: runId, reason: 'manual' } }),
    ),
    expected: {
      open: [200, { runId: any }],
      closed: [400, { error: 'Cannot end-and-continue a closed session' }],
      expired: [400, { error: 'Cannot end-and-continue an expired session' }],
    },
  },
  'append to in': { act: call(stream('in/append'), post({ kind: 'message' })), expected: appended },
  'append to out': { act: call(stream('out/append'), post({ kind: 'message' })), expected: appended },
  'append to a side channel': {
    act: call(stream('channels/side/in/append'), post({ kind: 'message' })),
    expected: appended,
  },
  snapshot: {
    act: async ({ api }, { id }) => {
      const urlOf = async (method: string) =>
        (await api.call(`/api/v1/sessions/${id}/snapshot-url`, { method })).body.presignedUrl;
      const { status } = await fetch(await urlOf('PUT'), { method: 'PUT', body: 'saved' });
      return { status, body: await (await fetch(await urlOf('GET'))).text() };
    },
    expected: same(204, 'saved'),
  },
  'cancel of its run': {
    act: call(
      ({ runId }) => `/api/v2/runs/${runId}/cancel`,
      () => ({ method: 'POST' }),
    ),
    expected: same(200, { id: any }),
  },
};

const kindOf = (state: State): Ended =>
  state.startsWith('open') ? 'open' : state.startsWith('closed') ? 'closed' : 'expired';

describe.each(['postgres', 'pglite'] as const)('on %s', (kind) => {
  let stage: StateStage;
  beforeAll(async () => {
    stage = await openStateStage(kind);
  });
  afterAll(async () => {
    await stage?.stop();
  });

  const expectAnswer = async (
    session: OpenedSession,
    name: string,
    { act, expected, state }: Operation & { state: State },
  ) => {
    const [status, body] = expected[kindOf(state)];
    const answer = await act(stage, session);
    expect({ status: answer.status, body: answer.body }, `${name} when ${state}`).toEqual({
      status,
      body: typeof body === 'object' && body !== null ? expect.objectContaining(body) : body,
    });
    await stage.expectInvariants(session);
  };

  test.each(states)('a session that is %s', async (state) => {
    const readAll = async () => {
      const session = await stage.inState(state);
      for (const [name, operation] of Object.entries(reading))
        await expectAnswer(session, name, { ...operation, state });
    };
    const actAlone = async ([name, operation]: [string, Operation]) =>
      expectAnswer(await stage.inState(state), name, { ...operation, state });
    await Promise.all([readAll(), ...Object.entries(acting).map(actAlone)]);
  });
});
