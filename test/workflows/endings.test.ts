/** Sessions end by themselves: on time, with their run's last words, and leaving nothing behind. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openIdle } from '../replay/shapes/shape.ts';
import {
  graceSeconds,
  isCompleted,
  isExecuting,
  type OpenedSession,
  openStage,
  type Stage,
  whileHeld,
} from './stage.ts';
import { until, untilEnded } from './wait.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(async () => {
  await stage?.stop();
});

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

/** By the database's clock, without any request that could notice it. */
async function expiryDelayMs({ id, externalId }: OpenedSession): Promise<number> {
  return until(async () => {
    const [late] = await stage.database.query<{ ms: number }>(
      'SELECT extract(epoch FROM expired_at - expires_at)::float8 * 1000 AS ms FROM gates WHERE session_id = $1 AND expired_at IS NOT NULL',
      [id],
    );
    return late && Math.max(1, late.ms);
  }, `${externalId} expires`);
}

describe('expiry', () => {
  test('is written within a second of its moment, without a request', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 8 }, (_, index) => stage.open('hold', { expiresAt: inMs(4_000 + index * 50) })),
    );
    const delays = await Promise.all(sessions.map(expiryDelayMs));
    // The median, because any single one may meet a busy machine.
    expect(delays.toSorted((a, b) => a - b)[delays.length / 2]).toBeLessThan(1_000);
  });

  test('tells the live run and the readers, and cancels the run after the grace', async () => {
    const session = await stage.open('hold', { expiresAt: inMs(4_000) });
    await stage.api.runWhen(session.runId, isExecuting);
    await untilEnded(stage.client, session);
    const { gate, runs, records } = await stage.rows(session);
    expect(gate).toMatchObject({ closed_at: null, expired_at: expect.any(Date), live: false });
    expect(runs.map(({ status }) => status)).toEqual(['CANCELED']);
    expect(records.map(({ stream, from_client: fromClient }) => [stream, fromClient])).toEqual([
      ['in', false],
      ['out', false],
    ]);
  });

  test('follows a repeated create that moves it', async () => {
    const session = await stage.open('hold', { expiresAt: inMs(3_600_000) });
    const sooner = await stage.api.create({
      externalId: session.externalId,
      taskIdentifier: 'hold',
      expiresAt: inMs(600),
    });
    expect(sooner.status).toBe(200);
    expect(await expiryDelayMs(session)).toBeLessThan(10_000);
  });

  test('is written by whichever transition notices it first', async () => {
    const session = await openIdle(stage);
    const expiresAt = Date.now() + 1_000;
    await stage.database.query('UPDATE gates SET expires_at = $2 WHERE session_id = $1', [
      session.id,
      new Date(expiresAt),
    ]);
    await stage.signal(session, 'reschedule');
    await until(() => Date.now() > expiresAt - 200, 'shortly before');
    await whileHeld(stage, session, async () => {
      await stage.signal(session, 'poke');
      await until(() => Date.now() > expiresAt + 200, 'shortly after');
    });
    await untilEnded(stage.client, session);
    const { gate, records } = await stage.rows(session);
    expect(gate['expired_at']).not.toBeNull();
    expect(records.map(({ stream }) => stream)).toEqual(['out']);
  });

  test('before the row could be written starts no run (I4)', async () => {
    const expiresAt = Date.now() + 1_500;
    const externalId = 'born-expired';
    const created = await stage.database.transaction(async (sql) => {
      await sql.query('LOCK TABLE sessions IN SHARE MODE');
      const creating = stage.api.create({
        externalId,
        taskIdentifier: 'hold',
        expiresAt: new Date(expiresAt).toISOString(),
      });
      await until(() => Date.now() > expiresAt + 100, 'the moment');
      return { creating };
    });
    expect((await created.creating).status).toBe(409);
    await untilEnded(stage.client, { workflowId: `session/dev/${externalId}` });
    const [row] = await stage.database.query<{ id: string }>('SELECT id FROM sessions WHERE external_id = $1', [
      externalId,
    ]);
    const { gate, runs } = await stage.rows({ id: row?.id ?? '' } as OpenedSession);
    expect(gate['expired_at']).not.toBeNull();
    expect(runs.map(({ status, attempts }) => [status, attempts])).toEqual([['CANCELED', 0]]);
    const { events } = await stage.client.workflow.getHandle(`session/dev/${externalId}`).fetchHistory();
    expect(events?.filter((event) => event.activityTaskScheduledEventAttributes)).toEqual([]);
  });
});

describe('close', () => {
  test('lets a live run finish its turn', async () => {
    const session = await stage.open('told');
    await stage.api.runWhen(session.runId, isExecuting);
    await stage.signal(session, 'close', { reason: 'enough' });
    await until(async () => (await stage.rows(session)).gate['closed_at'] !== null, 'the close');
    await stage.own.tell(session.runId);
    expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
    expect((await stage.rows(session)).runs.map(({ status }) => status)).toEqual(['COMPLETED']);
  });

  test('cancels a run that is still alive after the grace, and not before', async () => {
    const session = await stage.open('hold');
    await stage.api.runWhen(session.runId, isExecuting);
    await stage.signal(session, 'close');
    const run = await stage.api.runWhen(session.runId, isCompleted);
    expect(run.status).toBe('CANCELED');
    const { gate, runs } = await stage.rows(session);
    const [ended] = runs.map((row) => row['finished_at'] as Date);
    const aliveMs = Number(ended) - Number(gate['closed_at']);
    expect(aliveMs).toBeGreaterThanOrEqual(graceSeconds * 1000);
    expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
  });

  test('refuses a run that was still queued (I4)', async () => {
    const session = await stage.open('nobody');
    await stage.signal(session, 'close');
    expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
    expect((await stage.rows(session)).runs.map(({ status, attempts }) => [status, attempts])).toEqual([
      ['CANCELED', 0],
    ]);
  });

  test.each(['ensure', 'wake'])('is final: %s starts no run (I4)', async (name) => {
    const session = await stage.open('told');
    await stage.api.runWhen(session.runId, isExecuting);
    await stage.signal(session, 'close');
    await stage.signal(session, 'cancelRun', { runId: session.runId });
    await stage.signal(session, name, { runNumber: 1 });
    await untilEnded(stage.client, session);
    expect((await stage.rows(session)).runs).toHaveLength(1);
  });
});
