/** A session outgrows its history: everything that it is goes on in the next one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PrivateTemporal } from '../harness/private-temporal.ts';
import { fetchHistory } from '../replay/histories.ts';
import { outlineOf } from '../replay/outline.ts';
import { openIdle, runIdOf } from '../replay/shapes/shape.ts';
import { isCompleted, isExecuting, type OpenedSession, openStage, type Stage } from './stage.ts';
import { outgrow, startSuggestingTemporal } from './suggesting-temporal.ts';
import { until, untilAtRest, untilEnded } from './wait.ts';

let temporal: PrivateTemporal;
let stage: Stage;

beforeAll(async () => {
  temporal = await startSuggestingTemporal();
  stage = await openStage(temporal.address);
});

afterAll(async () => {
  await stage?.stop();
  await temporal?.stop();
});

/** Temporal's ids of the session's executions, oldest first. */
async function executionsOf({ workflowId }: OpenedSession): Promise<readonly string[]> {
  const found: { readonly runId: string; readonly startTime: Date }[] = [];
  for await (const execution of stage.client.workflow.list({ query: `WorkflowId = '${workflowId}'` }))
    found.push(execution);
  return found.toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime()).map(({ runId }) => runId);
}

test('owner, count of runs and rows survive; the next run is the next number', async () => {
  const session = await openIdle(stage);
  const before = await stage.rows(session);
  await outgrow(stage, session);
  expect(await stage.rows(session)).toEqual(before);
  const { body } = await stage.api.create({ externalId: session.externalId, taskIdentifier: 'quick' });
  expect(body).toMatchObject({ id: session.id, isCached: true });
  await stage.api.runWhen(body.runId, isCompleted);
  expect(await runIdOf(stage, session, 2)).toBe(body.runId);
  expect(stage.tasks.of(session.id).map(({ runNumber }) => runNumber)).toEqual([1, 2]);
});

test('the expiry is armed again and comes when it is due', async () => {
  const session = await openIdle(stage, { expiresAt: new Date(Date.now() + 4_000).toISOString() });
  await outgrow(stage, session);
  expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
  const { expires_at: due, expired_at: at } = (await stage.rows(session)).gate as {
    expires_at: Date;
    expired_at: Date;
  };
  expect(at.getTime() - due.getTime()).toBeGreaterThanOrEqual(0);
  expect(at.getTime() - due.getTime()).toBeLessThan(5_000);
});

test('operators find it as before', async () => {
  const session = await openIdle(stage, { tags: ['kept'] });
  await outgrow(stage, session);
  const running = `SessionId = '${session.id}' AND SessionTags = 'kept' AND SessionStatus = 'ACTIVE' AND ExecutionStatus = 'Running'`;
  await until(
    async () => (await stage.client.workflow.count(running)).count === 1,
    'one execution is listed as running',
  );
  const described = await stage.client.workflow.getHandle(session.workflowId).query('describe');
  expect(described).toMatchObject({ sessionId: session.id, state: 'open', runNumber: 1, openRuns: [] });
});

test('a storm of signals across it loses none', async () => {
  const session = await openIdle(stage);
  // Few, because Temporal lets a workflow continue as new once a second at most.
  const waves = 8;
  const inWave = 12;
  for (let wave = 1; wave <= waves; wave += 1) {
    await Promise.all(Array.from({ length: inWave }, () => stage.signal(session, 'poke')));
    // A signal that comes while it continues as new makes Temporal refuse that: half of the waves leave it a calm.
    if (wave % 2 === 0) await untilAtRest(stage.client, session);
  }
  await stage.signal(session, 'close', { reason: 'after the storm' });
  await untilEnded(stage.client, session);
  await until(async () => (await stage.rows(session)).gate['closed_reason'] === 'after the storm', 'the close');
  const executions = await executionsOf(session);
  expect(executions.length).toBeGreaterThan(2);
  const histories = await Promise.all(
    executions.map((temporalRunId) => fetchHistory(stage.client, { workflowId: session.workflowId, temporalRunId })),
  );
  const words = histories.flatMap(outlineOf);
  const count = (word: string) => words.filter((one) => one === word).length;
  expect([count('signal poke'), count('signal close')]).toEqual([waves * inWave, 1]);
  // Each execution but the first begins with a look of its own.
  expect(count('local lookAtSession')).toBe(waves * inWave + executions.length - 1);
});

test('a session with a live run goes on in its history until the run is over', async () => {
  const session = await stage.open('told');
  await stage.api.runWhen(session.runId, isExecuting);
  for (let sent = 0; sent < 15; sent += 1) {
    await stage.signal(session, 'poke');
    await untilAtRest(stage.client, session);
  }
  expect(await executionsOf(session)).toHaveLength(1);
  await stage.own.tell(session.runId);
  await stage.api.runWhen(session.runId, isCompleted);
  await until(async () => (await executionsOf(session)).length === 2, 'continue-as-new');
  expect((await stage.rows(session)).runs.map(({ status }) => status)).toEqual(['COMPLETED']);
});
