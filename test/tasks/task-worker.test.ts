/** Worker processes that die, are paused, are replaced, or serve other tasks: every run still ends once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { Database } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import type { Answer } from '../harness/api.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { connectTo, type TestTemporal } from '../harness/temporal.ts';
import { rowsOf } from '../storage/lifecycle.ts';
import { type Serving, startTaskProcess, type TaskProcess, type TaskProcessOptions } from './task-processes.ts';

let site: Site;
let server: TestServer;
let temporal: TestTemporal;
let database: Database;
const processes: TaskProcess[] = [];

beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
  temporal = await connectTo(site.temporalAddress, site.namespace);
  database = openPostgres({ url: site.databaseUrl, poolSize: 2, onProblem: () => undefined });
});

afterAll(async () => {
  await Promise.all(processes.map((each) => each.kill()));
  await temporal?.close();
  await database?.close();
  await server?.stop();
  await site?.remove();
});

async function start(options: Partial<TaskProcessOptions>): Promise<TaskProcess> {
  const started = await startTaskProcess({ site, server, ...options });
  processes.push(started);
  return started;
}

/** A worker of this queue alone: tests run at once and must not take each other's runs. */
const startOn = (queue: string, environment: Readonly<Record<string, string>> = {}) =>
  start({ environment: { TASK_QUEUE: queue, ...environment } });

interface Triggered {
  readonly sessionId: string;
  readonly runId: string;
}

async function trigger(triggerConfig: Readonly<Record<string, unknown>>, changes = {}): Promise<Triggered> {
  const { status, body } = await server.api.create({
    taskIdentifier: 'steady',
    triggerConfig: { basePayload: {}, ...triggerConfig },
    ...changes,
  });
  if (status !== 201) throw new Error(`create answered ${status}: ${JSON.stringify(body)}`);
  return { sessionId: body.id, runId: body.runId };
}

const isCompleted = (run: Answer['body']): boolean => run.isCompleted;

const waitDeadlineMs = 40_000;

/** What `find` answers once there is something. */
async function until<Found>(find: () => Found | undefined): Promise<Found> {
  for (const endAt = Date.now() + waitDeadlineMs; Date.now() < endAt; await sleep(20)) {
    const found = find();
    if (found !== undefined) return found;
  }
  throw new Error(`not within ${waitDeadlineMs} ms: ${find}`);
}

/** The attempt of a run, once a worker has begun it. */
const served = (workers: readonly TaskProcess[], runId: string, attempt: number): Promise<Serving> =>
  until(() =>
    workers.flatMap((each) => each.servings()).find((each) => each.runId === runId && each.attempt === attempt),
  );

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN;

describe.concurrent('a task worker', () => {
  test('that is killed loses its runs to others within five seconds (p95)', async ({ expect }) => {
    const workers = await Promise.all([startOn('kill'), startOn('kill'), startOn('kill')]);
    const [survivor, ...victims] = workers as [TaskProcess, ...TaskProcess[]];
    const triggered = await Promise.all(Array.from({ length: 24 }, () => trigger({ queue: 'kill' })));
    await Promise.all(triggered.map(({ runId }) => served(workers, runId, 1)));
    const lost = victims.flatMap((victim) => victim.servings().map(({ runId }) => runId));
    expect(lost.length).toBeGreaterThanOrEqual(8);
    const killedAtMs = Date.now();
    await Promise.all(victims.map((victim) => victim.kill()));
    const again = await Promise.all(lost.map((runId) => served([survivor], runId, 2)));
    const gapsMs = again.map(({ atMs }) => atMs - killedAtMs).sort((one, other) => one - other);
    console.log(`gaps ${JSON.stringify(gapsMs)}`);
    expect(percentile(gapsMs, 0.95)).toBeLessThan(5_000);
    const run = (await server.api.run(lost[0] ?? '')).body;
    expect(run).toMatchObject({ status: 'EXECUTING', attemptCount: 2 });
    const kept = triggered.filter(({ runId }) => !lost.includes(runId));
    expect(survivor.servings().filter(({ attempt }) => attempt > 1)).toHaveLength(lost.length);
    await Promise.all(kept.map(async ({ runId }) => expect((await server.api.run(runId)).body.attemptCount).toBe(1)));
  });

  test('that is paused is replaced, and neither writes nor ends a run when it comes back (V14)', async ({ expect }) => {
    const victim = await startOn('pause');
    const long = await trigger({ queue: 'pause' });
    const short = await trigger({ queue: 'pause', basePayload: { seconds: 4 } });
    await Promise.all([long, short].map(({ runId }) => served([victim], runId, 1)));
    const other = await startOn('pause');
    victim.signal('SIGSTOP');
    await Promise.all([long, short].map(({ runId }) => served([other], runId, 2)));
    const claim = (attempt: number) =>
      server.api.call(`/api/v1/runs/${long.runId}/claim`, { method: 'POST', body: { attempt } });
    expect(await claim(1)).toMatchObject({ status: 409, body: { code: 'claim_refused' } });
    expect((await rowsOf(database, long.sessionId)).out).toMatchObject({ fence_run: 1, fence_attempt: 2 });
    // Its short task is overdue: it returns at once, and nobody may believe it.
    victim.signal('SIGCONT');
    const [stopped] = await until(() => nonEmpty(victim.said('attempt stopped', long.runId)));
    expect(stopped).toMatchObject({ attempt: 1, why: 'lost' });
    const run = await server.api.runWhen(short.runId, isCompleted);
    expect(run).toMatchObject({ status: 'COMPLETED', attemptCount: 2, output: { pid: other.pid, attempt: 2 } });
    await server.api.cancel(long.runId);
    expect((await server.api.run(long.runId)).body).toMatchObject({ status: 'CANCELED', attemptCount: 2 });
    const all = [...victim.servings(), ...other.servings()];
    expect(all.map(({ attempt }) => attempt).sort()).toEqual([1, 1, 2, 2]);
  });

  test('that is stopped finishes what it can within its grace, and hands the rest over', async ({ expect }) => {
    const victim = await startOn('drain', { TASK_SHUTDOWN_GRACE_SECONDS: '2' });
    const long = await trigger({ queue: 'drain' });
    const only = await trigger({ queue: 'drain', maxAttempts: 1 });
    const short = await trigger({ queue: 'drain', basePayload: { seconds: 1.5 } });
    await Promise.all([long, only, short].map(({ runId }) => served([victim], runId, 1)));
    const [other, exit] = await Promise.all([startOn('drain'), victim.stop()]);
    expect(exit).toEqual({ code: 0, signal: null });
    expect((await server.api.runWhen(short.runId, isCompleted)).output).toEqual({ pid: victim.pid, attempt: 1 });
    const again = await served([other], long.runId, 2);
    const [handedOver] = victim.said('attempt stopped', long.runId);
    expect(handedOver).toMatchObject({ attempt: 1, why: 'worker-shutdown' });
    console.log('handover', again.atMs - Date.parse(handedOver?.time ?? ''));
    const run = await server.api.runWhen(only.runId, isCompleted);
    expect(run).toMatchObject({ status: 'CRASHED', attemptCount: 1, error: { name: 'WorkerShutdown' } });
  });

  test('of one task is never given runs of another', async ({ expect }) => {
    const [steady, brief] = await Promise.all([start({}), start({ file: 'test/tasks/programs/brief.ts' })]);
    const triggered = await Promise.all(
      Array.from({ length: 16 }, async (_, index) => {
        const taskIdentifier = index % 2 === 0 ? 'steady' : 'brief';
        const { runId } = await trigger({ basePayload: { seconds: 0 } }, { taskIdentifier });
        return { runId, pid: index % 2 === 0 ? steady.pid : brief.pid };
      }),
    );
    for (const { runId, pid } of triggered) {
      const run = await server.api.runWhen(runId, isCompleted);
      expect(run).toMatchObject({ status: 'COMPLETED', attemptCount: 1, output: { pid, attempt: 1 } });
    }
  });

  test('that takes a run whose session was closed meanwhile is refused, and executes nothing (V12, I4)', async ({
    expect,
  }) => {
    const { runId } = await trigger({ queue: 'closed' }, { externalId: 'closed-while-queued' });
    await temporal.client.workflow.getHandle('session/dev/closed-while-queued').signal('close', { reason: 'enough' });
    await expect.poll(async () => (await server.api.session('closed-while-queued')).body.closedAt).not.toBeNull();
    expect((await server.api.run(runId)).body).toMatchObject({ status: 'QUEUED' });
    const worker = await startOn('closed');
    const run = await server.api.runWhen(runId, isCompleted);
    expect(run).toMatchObject({ status: 'CANCELED', attemptCount: 0 });
    expect(run.startedAt).toBeUndefined();
    expect(worker.servings()).toEqual([]);
    expect(worker.said('attempt started', runId)).toHaveLength(1);
    const { currentRunId, closedReason } = (await server.api.session('closed-while-queued')).body;
    expect([currentRunId, closedReason]).toEqual([null, 'enough']);
  });
});

const nonEmpty = <Item>(items: readonly Item[]): readonly Item[] | undefined => (items.length > 0 ? items : undefined);
