/** POST /api/v1/sessions/{session}/end-and-continue: a run hands its session to a fresh one, once. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, Call } from '../harness/api.ts';
import type { OpenedSession } from '../workflows/stage.ts';
import { openSessionStage, openStates, type SessionStage } from './session-stage.ts';

let stage: SessionStage;

beforeAll(async () => {
  stage = await openSessionStage();
});

afterAll(async () => {
  await stage?.stop();
});

const handOver = (session: Pick<OpenedSession, 'id'>, body: unknown, call?: Call): Promise<Answer> =>
  stage.api.call(`/api/v1/sessions/${session.id}/end-and-continue`, { ...call, method: 'POST', body });

const reasonOf = async (session: OpenedSession, number: number) =>
  (await stage.rows(session)).runs.find(({ no }) => no === number)?.['reason'];

describe('the current run of an open session', () => {
  test.each(openStates)('is replaced when the session is %s', async (state) => {
    const session = await stage.inState(state);
    const { status, body } = await handOver(session, { callingRunId: session.runId, reason: 'manual' });
    expect({ status, body }).toEqual({ status: 200, body: { runId: expect.stringMatching(/^run_/), swapped: true } });
    expect(body.runId).not.toBe(session.runId);
    const { payload } = await stage.api.runWhen(body.runId, () => true);
    expect(payload).toEqual({ sessionId: session.id, continuation: true, previousRunId: session.runId });
    await stage.rows(session);
  });

  test('goes on: a hand-over stops nobody', async () => {
    const session = await stage.inState('open running');
    await handOver(session, { callingRunId: session.runId, reason: 'manual' });
    expect((await stage.api.run(session.runId)).body.isExecuting).toBe(true);
  });

  test('that repeats its call gets its answer again; another call of it is told who is current', async () => {
    const session = await stage.inState('open running');
    const call = { headers: { 'x-trigger-request-idempotency-key': randomUUID() } };
    const first = await handOver(session, { callingRunId: session.runId, reason: 'manual' }, call);
    expect(first.body.swapped).toBe(true);
    expect((await handOver(session, { callingRunId: session.runId, reason: 'manual' }, call)).body).toEqual(first.body);
    expect((await handOver(session, { callingRunId: session.runId, reason: 'manual' })).body).toEqual({
      runId: first.body.runId,
      swapped: false,
    });
    expect((await stage.rows(session)).runs).toHaveLength(2);
  });

  test('twenty hand-overs at once: one swaps, all name its run, and one run was started (V15)', async () => {
    const session = await stage.inState('open running');
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => handOver(session, { callingRunId: session.runId, reason: 'manual' })),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(answers.filter(({ body }) => body.swapped)).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => body.runId)).size).toBe(1);
    expect((await stage.rows(session)).runs).toHaveLength(2);
  });

  test('waits for a version that nobody serves, and the caller is told so', async () => {
    const session = await stage.open('quick', { triggerConfig: { basePayload: {}, lockToVersion: 'unserved' } });
    expect(await handOver(session, { callingRunId: session.runId, reason: 'manual' })).toMatchObject({
      status: 200,
      body: { swapped: true, pendingVersion: true },
    });
  });
});

describe('the reason', () => {
  const pinned = { basePayload: {}, externalDeploymentId: 'old', lockToVersion: 'unserved' };

  test.each([
    ['upgrade', undefined, 'upgrade', undefined],
    ['upgrade', 'new', 'upgrade', 'new'],
    ['because', 'new', 'manual', 'old'],
    ['', undefined, 'manual', 'old'],
  ])('%j with deployment %s is kept as %s, and leaves %s', async (reason, moved, kept, left) => {
    const session = await stage.open('quick', { triggerConfig: pinned });
    const body = {
      callingRunId: session.runId,
      reason,
      ...(moved === undefined ? {} : { externalDeploymentId: moved }),
    };
    expect((await handOver(session, body)).body.swapped).toBe(true);
    expect(await reasonOf(session, 2)).toBe(kept);
    const { triggerConfig } = (await stage.api.session(session.id)).body;
    expect(triggerConfig).toEqual({
      basePayload: {},
      lockToVersion: 'unserved',
      ...(left === undefined ? {} : { externalDeploymentId: left }),
    });
  });
});

describe('refused, and nothing is started', () => {
  test.each([
    ['closed', 'Cannot end-and-continue a closed session'],
    ['expired', 'Cannot end-and-continue an expired session'],
    ['overdue', 'Cannot end-and-continue an expired session'],
  ] as const)('a session that is %s', async (state, error) => {
    const session = await stage.inState(state);
    const answer = await handOver(session, { callingRunId: session.runId, reason: 'manual' });
    expect(answer).toMatchObject({ status: 400, body: { error } });
    // V11: told as expired, it is.
    if (state !== 'closed') expect((await stage.rows(session)).gate['expired_at']).toBeInstanceOf(Date);
    expect((await stage.rows(session)).runs).toHaveLength(1);
  });

  test.each([`run_${'0'.repeat(25)}`, 'nonsense', ''])('a calling run that nobody has: %j', async (callingRunId) => {
    const session = await stage.inState('open idle');
    expect(await handOver(session, { callingRunId, reason: 'manual' })).toMatchObject({
      status: 404,
      body: { error: 'callingRunId not found in this environment' },
    });
  });

  test('a run of another environment, as one that nobody has (I8)', async () => {
    const session = await stage.inState('open idle');
    const elsewhere = await stage.api.create({ taskIdentifier: 'quick' }, { key: stage.site.prodKey });
    expect((await handOver(session, { callingRunId: elsewhere.body.runId, reason: 'manual' })).status).toBe(404);
  });

  test('a run of another session does not swap; a token for one session is not told that it exists (I8)', async () => {
    const [session, other] = [await stage.inState('open idle'), await stage.inState('open idle')];
    const body = { callingRunId: other.runId, reason: 'manual' };
    expect((await handOver(session, body)).body).toEqual({ runId: session.runId, swapped: false });
    const key = await stage.tokenOf(`write:sessions:${session.externalId}`);
    expect((await handOver(session, body, { key })).status).toBe(404);
    expect((await stage.rows(session)).runs).toHaveLength(1);
  });

  test.each([
    ['no calling run', { reason: 'manual' }, 400, /callingRunId/],
    ['no reason', { callingRunId: 'run_1' }, 400, /reason/],
    ['a reason of 65 characters', { callingRunId: 'run_1', reason: 'x'.repeat(65) }, 400, /reason/],
    ['no body', undefined, 400, /^Request body is empty$/],
    ['a body of more than 1 KB', { reason: 'x'.repeat(1_024) }, 413, /^Request body too large$/],
  ])('%s', async (_, body, status, error) => {
    const session = await stage.inState('open idle');
    expect(await handOver(session, body)).toMatchObject({ status, body: { error: expect.stringMatching(error) } });
  });

  test('a session that is not there', async () => {
    const answer = await handOver({ id: 'nobody' }, { callingRunId: 'run_1', reason: 'manual' });
    expect(answer).toMatchObject({ status: 404, body: { error: 'Resource not found' } });
  });
});
