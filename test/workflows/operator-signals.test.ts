/** Signals typed by an operator on Temporal's command line: what the API orders, a person can order too. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openIdle, runIdOf } from '../replay/shapes/shape.ts';
import { type Operator, operatorOf } from './operator.ts';
import { isCompleted, isExecuting, openStage, type Stage } from './stage.ts';
import { until, untilAtRest, untilEnded } from './wait.ts';

let stage: Stage;
let operator: Operator;

beforeAll(async () => {
  stage = await openStage();
  operator = operatorOf(stage.site);
});

afterAll(async () => {
  await stage?.stop();
});

describe('close', () => {
  test('ends the session for good, with the reason that was typed', async () => {
    const session = await openIdle(stage);
    await operator.signal(session.workflowId, 'close', '{"reason":"abuse"}');
    expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
    const { body } = await stage.api.session(session.externalId);
    expect(body).toMatchObject({ closedReason: 'abuse', closedAt: expect.any(String) });
    const again = await stage.api.create({ externalId: session.externalId });
    expect(again.status).toBe(409);
  });

  test.each([undefined, 'null', '"text"', '[]', '{}'])('needs no reason: %s', async (typed) => {
    const session = await openIdle(stage);
    await operator.signal(session.workflowId, 'close', typed);
    expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
    expect((await stage.rows(session)).gate).toMatchObject({ closed_at: expect.any(Date), closed_reason: null });
  });

  test('twice is once: the first reason stays', async () => {
    const session = await stage.open('told');
    await stage.api.runWhen(session.runId, isExecuting);
    await operator.signal(session.workflowId, 'close', '{"reason":"first"}');
    await operator.signal(session.workflowId, 'close', '{"reason":"second"}');
    await stage.own.tell(session.runId);
    await untilEnded(stage.client, session);
    const { gate, records } = await stage.rows(session);
    expect(gate['closed_reason']).toBe('first');
    expect(records.map(({ stream, seq }) => [stream, seq])).toEqual([
      ['in', 0],
      ['out', 0],
    ]);
  });
});

describe('the other signals', () => {
  test('cancelRun cancels the run and leaves the session open', async () => {
    const session = await stage.open('hold');
    await stage.api.runWhen(session.runId, isExecuting);
    await operator.signal(session.workflowId, 'cancelRun', JSON.stringify({ runId: session.runId }));
    const run = await stage.api.runWhen(session.runId, isCompleted);
    expect(run).toMatchObject({ status: 'CANCELED', isCancelled: true });
    expect((await stage.api.session(session.externalId)).body).toMatchObject({ closedAt: null, currentRunId: null });
  });

  test.each(['ensure', 'wake'])('%s gives an idle session its next run, once', async (name) => {
    const session = await openIdle(stage);
    for (let typed = 0; typed < 2; typed += 1) await operator.signal(session.workflowId, name, '{"runNumber":1}');
    await until(async () => (await stage.rows(session)).gate['run_no'] === 2, 'the second run');
    await untilAtRest(stage.client, session);
    expect((await stage.rows(session)).runs.map(({ reason }) => reason)).toEqual(['initial', 'continuation']);
  });

  test('endAndContinue hands a live run over', async () => {
    const session = await stage.open('told');
    await stage.api.runWhen(session.runId, isExecuting);
    const order = { runNumber: 1, reason: 'manual', requestKey: 'typed', externalDeploymentId: null };
    await operator.signal(session.workflowId, 'endAndContinue', JSON.stringify(order));
    const second = await until(() => runIdOf(stage, session, 2), 'the second run');
    await stage.api.runWhen(second, isExecuting);
    const { runs } = await stage.rows(session);
    expect(runs.map(({ status }) => status)).toEqual(['QUEUED', 'QUEUED']);
    await Promise.all([stage.own.tell(session.runId), stage.own.tell(second)]);
    await Promise.all([session.runId, second].map((runId) => stage.api.runWhen(runId, isCompleted)));
  });

  test('expire and poke change nothing in a session that does not expire', async () => {
    const session = await openIdle(stage);
    const before = await stage.rows(session);
    for (const name of ['expire', 'poke', 'reschedule']) await operator.signal(session.workflowId, name);
    await untilAtRest(stage.client, session);
    expect(await stage.rows(session)).toEqual(before);
  });

  test('expire ends a session whose moment has passed while its timer was not told', async () => {
    const session = await openIdle(stage);
    const expire = "UPDATE gates SET expires_at = clock_timestamp() - interval '1 minute' WHERE session_id = $1";
    await stage.database.query(expire, [session.id]);
    await operator.signal(session.workflowId, 'expire');
    expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
    expect((await stage.rows(session)).gate['expired_at']).not.toBeNull();
  });

  test('reschedule makes the timer agree with the row', async () => {
    const session = await openIdle(stage);
    const move = "UPDATE gates SET expires_at = clock_timestamp() + interval '500 ms' WHERE session_id = $1";
    await stage.database.query(move, [session.id]);
    await operator.signal(session.workflowId, 'reschedule');
    expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
    expect((await stage.rows(session)).gate['expired_at']).not.toBeNull();
  });
});

describe("Temporal's own buttons", () => {
  test('a request to cancel the workflow closes the session', async () => {
    const session = await stage.open('hold');
    await stage.api.runWhen(session.runId, isExecuting);
    await operator.cancel(session.workflowId);
    await untilEnded(stage.client, session);
    const { gate, runs } = await stage.rows(session);
    expect(gate['closed_at']).not.toBeNull();
    expect(runs.map(({ status }) => status)).toEqual(['CANCELED']);
  });

  test('a terminated workflow is started again by the next order, and its lost run ends', async () => {
    const session = await stage.open('hold');
    await stage.api.runWhen(session.runId, isExecuting);
    await operator.terminate(session.workflowId);
    await stage.api.cancel(session.runId);
    expect(await stage.api.runWhen(session.runId, isCompleted)).toMatchObject({ status: 'SYSTEM_FAILURE' });
    const { body } = await stage.api.create({ externalId: session.externalId, taskIdentifier: 'quick' });
    expect(body).toMatchObject({ id: session.id, isCached: true });
    await until(() => stage.tasks.of(session.id).length === 2, 'the second run begins');
    expect(stage.tasks.of(session.id).map(({ runNumber }) => runNumber)).toEqual([1, 2]);
  });
});
