/**
 * A session worker is killed, or paused and comes back late, at each step of a transition, and the task is redone
 * elsewhere. Every time: the rows that there would be without the fault, each run executed once, nothing phantom.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../harness/api.ts';
import type { PerdureProcess } from '../harness/processes.ts';
import { appendRecord } from '../storage/lifecycle.ts';
import { type Story, openStory } from './story.ts';

let story: Story;
let workers: PerdureProcess[] = [];

beforeAll(async () => {
  story = await openStory();
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill()));
  workers = [];
});

afterAll(async () => {
  await story?.end();
});

const faults = ['before=kill', 'after=kill', 'before=pause', 'after=pause'] as const;

async function startWorker(failpoint?: string): Promise<PerdureProcess> {
  const worker = await story.worker(failpoint);
  workers.push(worker);
  return worker;
}

/** The fault has struck; somebody else takes over. Returns how the paused one is let go again. */
async function takeOver(victim: PerdureProcess): Promise<() => void> {
  await victim.line(/failpoint .*: SIG(KILL|STOP)/);
  await startWorker();
  return () => victim.signal('SIGCONT');
}

/** As the SDK does: a call that got no answer is repeated under its request key. */
async function createUntilAnswered(changes: Record<string, unknown>): Promise<Answer> {
  const headers = { 'x-trigger-request-idempotency-key': randomUUID() };
  for (let tries = 1; ; tries += 1) {
    const answer = await story.server.api.create(changes, { headers });
    if (answer.status !== 503 || tries === 4) return answer;
  }
}

const executionsOf = (sessionId: string) => story.tasks.of(sessionId).map(({ runNumber, attempt }) => [runNumber, attempt]);

describe('while a session is created (V5, V6)', () => {
  test.each(faults)('persistSession:%s', async (fault) => {
    const victim = await startWorker(`persistSession:${fault}`);
    const creating = createUntilAnswered({ externalId: `create ${fault}` });
    const release = await takeOver(victim);
    const { status, body } = await creating;
    expect(status).toBe(201);
    await expect.poll(() => executionsOf(body.id), { timeout: 20_000 }).toEqual([[1, 1]]);
    release();
    const { gate, runs } = await story.settled(body.id);
    expect(runs).toMatchObject([{ id: body.runId, status: 'QUEUED', attempts: 1 }]);
    expect(gate).toMatchObject({ run_no: 1, live: true });
    expect(executionsOf(body.id)).toEqual([[1, 1]]);
  });
});

describe('while the end of a run is recorded (V5)', () => {
  test.each(faults)('recordRunEnd:%s, with a record unread', async (fault) => {
    const victim = await startWorker(`recordRunEnd:${fault}`);
    const { body } = await createUntilAnswered({ externalId: `end ${fault}`, taskIdentifier: 'deaf' });
    await story.server.api.runWhen(body.runId, (run) => run.startedAt !== undefined);
    await appendRecord(story.database, body.id);
    const release = await takeOver(victim);
    await expect.poll(async () => (await story.rows(body.id)).runs[1]?.['status'], { timeout: 25_000 }).toBe('COMPLETED');
    release();
    const { gate, runs } = await story.settled(body.id);
    expect(runs.map((run) => [run['no'], run['status'], run['reason']])).toEqual([
      [1, 'COMPLETED', 'initial'],
      [2, 'COMPLETED', 'continuation'],
    ]);
    expect(gate).toMatchObject({ run_no: 2, live: false, barren: 0 });
    expect(executionsOf(body.id)).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });
});

describe('while a dead run gets its successor', () => {
  test.each(faults)('triggerRun:%s', async (fault) => {
    const victim = await startWorker(`triggerRun:${fault}`);
    const externalId = `ensure ${fault}`;
    const first = await createUntilAnswered({ externalId, taskIdentifier: 'quick' });
    await story.server.api.runWhen(first.body.runId, (run) => run.isCompleted);
    const creating = createUntilAnswered({ externalId });
    const release = await takeOver(victim);
    const { status, body } = await creating;
    expect([status, body.isCached]).toEqual([200, true]);
    await story.server.api.runWhen(body.runId, (run) => run.isCompleted);
    release();
    const { runs } = await story.settled(body.id);
    expect(runs.map((run) => [run['id'], run['status']])).toEqual([
      [first.body.runId, 'COMPLETED'],
      [body.runId, 'COMPLETED'],
    ]);
    expect(executionsOf(body.id)).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });
});

describe('a cancellation that meets a redone task (V13)', () => {
  test.each(['after=kill', 'after=pause'] as const)('persistSession:%s', async (fault) => {
    const victim = await startWorker(`persistSession:${fault}`);
    const { body } = await createUntilAnswered({ externalId: `cancel ${fault}` });
    await victim.line(/failpoint/);
    // The row is there and its run is not yet in Temporal: the signal comes before the workflow knows the run.
    const canceling = story.server.api.cancel(body.runId);
    const release = await takeOver(victim);
    expect(await canceling).toMatchObject({ status: 200, body: { id: body.runId } });
    const run = await story.server.api.runWhen(body.runId, ({ isCompleted }) => isCompleted);
    expect(run).toMatchObject({ status: 'CANCELED', isCancelled: true });
    release();
    expect((await story.settled(body.id)).gate).toMatchObject({ run_no: 1, live: false });
    expect((await story.server.api.session(body.id)).body).toMatchObject({ closedAt: null, currentRunId: null });
  });
});
