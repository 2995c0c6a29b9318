/** Each operation in each state of a session: the table of protocol section 6. */
import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../harness/api.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import type { OpenedSession } from '../workflows/stage.ts';
import { openSessionStage, openStates, type SessionStage, type State } from './session-stage.ts';

let stage: SessionStage;

beforeAll(async () => {
  stage = await openSessionStage();
});

afterAll(async () => {
  await stage?.stop();
});

const operations = {
  create: ({ externalId }: OpenedSession) => stage.api.create({ externalId, taskIdentifier: 'quick' }),
  retrieve: ({ id }: OpenedSession) => stage.api.session(id),
  update: ({ id }: OpenedSession) =>
    stage.api.call(`/api/v1/sessions/${id}`, { method: 'PATCH', body: { tags: ['late'] } }),
  close: ({ id }: OpenedSession) =>
    stage.api.call(`/api/v1/sessions/${id}/close`, { method: 'POST', body: { reason: 'late' } }),
  'end-and-continue': ({ id, runId }: OpenedSession) =>
    stage.api.call(`/api/v1/sessions/${id}/end-and-continue`, {
      method: 'POST',
      body: { callingRunId: runId, reason: 'manual' },
    }),
} satisfies Record<string, (session: OpenedSession) => Promise<Answer>>;
type Operation = keyof typeof operations;

type Cell = readonly [status: number, part: object];
const any = expect.any(String);

const open: Readonly<Record<Operation, Cell>> = {
  create: [200, { isCached: true, closedAt: null }],
  retrieve: [200, { closedAt: null }],
  update: [200, { tags: ['late'], closedAt: null }],
  close: [200, { closedAt: any, closedReason: 'late' }],
  'end-and-continue': [200, { swapped: true }],
};

const expired: Readonly<Record<Operation, Cell>> = {
  create: [409, { error: 'Session is expired; use a different externalId to create a new session' }],
  retrieve: [200, { closedAt: null, expiresAt: any }],
  update: [200, { tags: ['late'], closedAt: null }],
  close: [200, { closedAt: any, closedReason: 'late' }],
  'end-and-continue': [400, { error: 'Cannot end-and-continue an expired session' }],
};

const closed: Readonly<Record<Operation, Cell>> = {
  create: [409, { error: 'Session is closed; use a different externalId to create a new session' }],
  retrieve: [200, { closedReason: 'first' }],
  update: [200, { tags: ['late'], closedReason: 'first' }],
  close: [200, { closedReason: 'first' }],
  'end-and-continue': [400, { error: 'Cannot end-and-continue a closed session' }],
};

const table: Readonly<Record<State, typeof open>> = {
  ...(Object.fromEntries(openStates.map((state) => [state, open])) as Record<(typeof openStates)[number], typeof open>),
  closed,
  expired,
  overdue: expired,
};

test.each(Object.keys(table) as State[])('a session that is %s', async (state) => {
  await Promise.all(
    (Object.keys(operations) as Operation[]).map(async (operation) => {
      const session = await stage.inState(state);
      const [status, part] = table[state][operation];
      expect(await operations[operation](session), `${operation} when ${state}`).toMatchObject({ status, body: part });
      await stage.rows(session);
    }),
  );
});

describe('a create at a process that has never seen the session', () => {
  let elsewhere: TestServer;
  beforeAll(async () => {
    elsewhere = await startTestServer({ site: stage.site });
  });
  afterAll(() => elsewhere?.stop());
  // What it met last was new, so it orders the next one without a look.
  beforeEach(async () => {
    expect(await elsewhere.api.create({ externalId: randomUUID(), taskIdentifier: 'quick' })).toMatchObject({
      status: 201,
    });
  });

  const executionOf = async ({ workflowId }: OpenedSession) =>
    (await stage.client.workflow.getHandle(workflowId).describe()).runId;

  test.each(Object.keys(table) as State[])('answers as any other when it is %s', async (state) => {
    const session = await stage.inState(state);
    const execution = await executionOf(session);
    const [status, part] = table[state].create;
    const create = () => elsewhere.api.create({ externalId: session.externalId, taskIdentifier: 'quick' });
    expect(await create()).toMatchObject({ status, body: part });
    // And once it has.
    expect(await create()).toMatchObject({ status, body: part });
    // Only a workflow that was lost is made again.
    const isLost = state === 'workflow terminated';
    expect((await executionOf(session)) === execution).toBe(!isLost);
    const { runs } = await stage.rows(session);
    expect(runs.length).toBeLessThanOrEqual(status === 200 ? 3 : 1);
  });

  test.each([{ externalId: randomUUID() }, {}])(
    'gives the one that made it the same answer again: %o',
    async (named) => {
      const headers = { 'x-trigger-request-idempotency-key': randomUUID() };
      const first = await stage.api.create(named, { headers });
      const again = await elsewhere.api.create(named, { headers });
      expect([first.status, again.status]).toEqual([201, 201]);
      expect(again.body).toMatchObject({ id: first.body.id, runId: first.body.runId, isCached: false });
    },
  );

  test('refuses an expiry in the past and starts nothing', async () => {
    const externalId = randomUUID();
    const answer = await elsewhere.api.create({ externalId, expiresAt: '2020-01-01T00:00:00Z' });
    expect(answer).toMatchObject({ status: 409, body: { error: expect.stringContaining('expired') } });
    const workflow = stage.client.workflow.getHandle(`session/dev/${externalId}`);
    await expect(workflow.describe()).rejects.toThrow(WorkflowNotFoundError);
  });
});

test('a hand-over and a close at once: both are answered, and no run starts after the close (I4)', async () => {
  for (let round = 0; round < 5; round += 1) {
    const session = await stage.inState('open running');
    const [handedOver, closedNow] = await Promise.all([
      operations['end-and-continue'](session),
      operations.close(session),
    ]);
    expect(closedNow.status).toBe(200);
    const { runs } = await stage.rows(session);
    expect(handedOver.status === 200 ? runs.length : handedOver.status).toBe(handedOver.status === 200 ? 2 : 400);
    const late = await stage.database.query(
      'SELECT r.id FROM runs r JOIN gates g USING (session_id) WHERE session_id = $1 AND r.created_at > g.closed_at',
      [session.id],
    );
    expect(late).toEqual([]);
  }
});
