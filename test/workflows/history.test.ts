/** What a session costs Temporal, and what it makes of a task that has to be done twice. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fetchHistory } from '../replay/histories.ts';
import { outlineOf } from '../replay/outline.ts';
import { openIdle, runIdOf } from '../replay/shapes/shape.ts';
import { isCompleted, isExecuting, type OpenedSession, openStage, type Stage, whileHeld } from './stage.ts';
import { until, untilAtRest, untilEnded } from './wait.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(async () => {
  await stage?.stop();
});

async function outline(session: Pick<OpenedSession, 'workflowId'>): Promise<readonly string[]> {
  return outlineOf(await fetchHistory(stage.client, session));
}

const count = (words: readonly string[], word: string): number => words.filter((one) => one === word).length;

describe('events (I7)', () => {
  test('a create and a whole run are twelve', async () => {
    const session = await openIdle(stage);
    expect(await outline(session)).toHaveLength(12);
  });

  test('each further run adds twelve, each signal five', async () => {
    const session = await openIdle(stage);
    await stage.api.create({ externalId: session.externalId, taskIdentifier: 'quick' });
    const second = await until(() => runIdOf(stage, session, 2), 'the second run');
    await stage.api.runWhen(second, isCompleted);
    await untilAtRest(stage.client, session);
    expect(await outline(session)).toHaveLength(2 * 12);
    await stage.signal(session, 'poke');
    await untilAtRest(stage.client, session);
    expect(await outline(session)).toHaveLength(2 * 12 + 5);
  });

  test('attempts of a run add none', async () => {
    const session = await stage.open('fail', { triggerConfig: { basePayload: {}, maxAttempts: 3 } });
    await stage.api.runWhen(session.runId, isCompleted);
    await untilAtRest(stage.client, session);
    expect(await outline(session)).toHaveLength(12);
  });

  test('no payload of a record or of a large create comes back in what a run or a transition adds', async () => {
    const text = 'x'.repeat(20_000);
    const session = await openIdle(stage, { triggerConfig: { basePayload: { text } } });
    const { raw } = await stage.client.workflow.getHandle(session.workflowId).describe();
    // In the start, in the answer of the create, as the run's input, and as what this task returns: its input.
    expect(Number(raw.workflowExecutionInfo?.historySizeBytes)).toBeLessThan(5 * text.length);
  });
});

describe('a task that is done twice', () => {
  /** Temporal refuses the task under way when more than this come meanwhile. */
  const bufferedSignalsMax = 100;

  test('twenty signals during a local activity are all handled, in order', async () => {
    const session = await openIdle(stage);
    await whileHeld(stage, session, async () => {
      await stage.signal(session, 'poke');
      for (let sent = 0; sent < 20; sent += 1)
        await stage.signal(session, sent === 10 ? 'wake' : 'poke', { runNumber: 1 });
    });
    const second = await until(() => runIdOf(stage, session, 2), 'the second run');
    await stage.api.runWhen(second, isCompleted);
    await untilAtRest(stage.client, session);
    const words = await outline(session);
    expect(count(words, 'signal poke')).toBe(20);
    expect(count(words, 'local lookAtSession')).toBe(20);
    expect(count(words, 'local triggerRun')).toBe(1);
    expect(stage.tasks.of(session.id).map(({ runNumber }) => runNumber)).toEqual([1, 2]);
  });

  test('a close that the server refused because of a signal is done again, once in the row', async () => {
    const session = await openIdle(stage);
    await whileHeld(stage, session, async () => {
      await stage.signal(session, 'close', { reason: 'first' });
      await untilTaskStarted(session);
      for (const reason of ['second', 'third']) await stage.signal(session, 'close', { reason });
    });
    await untilEnded(stage.client, session);
    const words = await outline(session);
    expect(count(words, 'refused UNHANDLED_COMMAND')).toBeGreaterThanOrEqual(1);
    const { gate, records } = await stage.rows(session);
    expect(gate['closed_reason']).toBe('first');
    expect(records).toHaveLength(1);
  });

  test('a run whose task the server then refused is scheduled once, and executed once', async () => {
    const session = await openIdle(stage);
    await whileHeld(stage, session, async () => {
      await stage.signal(session, 'wake', { runNumber: 1 });
      await untilTaskStarted(session);
      await Promise.all(Array.from({ length: bufferedSignalsMax + 10 }, () => stage.signal(session, 'poke')));
    });
    const second = await until(() => runIdOf(stage, session, 2), 'the second run');
    await stage.api.runWhen(second, isCompleted);
    await untilAtRest(stage.client, session);
    const words = await outline(session);
    expect(count(words, 'refused FORCE_CLOSE_COMMAND')).toBe(1);
    expect(count(words, 'local lookAtSession')).toBe(bufferedSignalsMax + 10);
    expect(count(words, 'ACTIVITY_TASK_SCHEDULED')).toBe(2);
    expect(stage.tasks.of(session.id).map(({ runNumber }) => runNumber)).toEqual([1, 2]);
  });

  test('a create that waits for the database is answered once, with one run', async () => {
    const externalId = 'slow-database';
    const { creating } = await stage.database.transaction(async (sql) => {
      await sql.query('LOCK TABLE sessions IN SHARE MODE');
      const started = stage.api.create({ externalId, taskIdentifier: 'hold' });
      const handle = stage.client.workflow.getHandle(`session/dev/${externalId}`);
      await until(
        async () =>
          handle.signal('poke').then(
            () => true,
            () => false,
          ),
        'the workflow is there',
      );
      for (let sent = 1; sent < 20; sent += 1) await handle.signal('poke');
      return { creating: started };
    });
    const { status, body } = await creating;
    expect(status).toBe(201);
    await stage.api.runWhen(body.runId, isExecuting);
    await untilAtRest(stage.client, { workflowId: `session/dev/${externalId}` });
    const words = await outline({ workflowId: `session/dev/${externalId}` });
    expect([count(words, 'signal poke'), count(words, 'local lookAtSession')]).toEqual([20, 20]);
    expect(count(words, 'ACTIVITY_TASK_SCHEDULED')).toBe(1);
    expect(stage.tasks.of(body.id)).toHaveLength(1);
  });

  async function untilTaskStarted(session: OpenedSession): Promise<void> {
    const handle = stage.client.workflow.getHandle(session.workflowId);
    await until(async () => (await handle.describe()).raw.pendingWorkflowTask?.startedTime, 'a task is under way');
  }
});
