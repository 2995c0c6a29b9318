/** Every field of `triggerConfig` takes effect on the run, and a later change of it on later runs only. */
import { afterAll, beforeAll, describe, type ExpectStatic, test } from 'vitest';
import type { Answer } from '../harness/api.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { startTestTasks, type TestTasks } from '../harness/tasks.ts';
import { connectTo, type TestTemporal } from '../harness/temporal.ts';
import { type PlacedTasks, startPlacedTasks } from './placed-tasks.ts';

let site: Site;
let server: TestServer;
let tasks: TestTasks;
let placed: PlacedTasks[];
let temporal: TestTemporal;

beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
  temporal = await connectTo(site.temporalAddress, site.namespace);
  tasks = await startTestTasks({ site, server });
  placed = await Promise.all([
    startPlacedTasks({ site, server }),
    startPlacedTasks({ site, server, machine: 'small-1x', region: 'eu' }),
    startPlacedTasks({ site, server, queue: 'fast-lane' }),
  ]);
});

afterAll(async () => {
  await Promise.all([tasks?.stop(), ...(placed ?? []).map((each) => each.stop())]);
  await temporal?.close();
  await server?.stop();
  await site?.remove();
});

let sessionsCount = 0;

interface Started extends Answer {
  readonly externalId: string;
  readonly runId: string;
}

async function start(taskIdentifier: string, triggerConfig: Readonly<Record<string, unknown>>): Promise<Started> {
  sessionsCount += 1;
  const externalId = `config-${sessionsCount}`;
  const answer = await server.api.create({
    externalId,
    taskIdentifier,
    triggerConfig: { basePayload: {}, ...triggerConfig },
  });
  if (answer.status !== 201) throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
  return { ...answer, externalId, runId: answer.body.runId };
}

const isCompleted = (run: Answer['body']): boolean => run.isCompleted;

async function finished(taskIdentifier: string, triggerConfig: Readonly<Record<string, unknown>>) {
  const { runId } = await start(taskIdentifier, triggerConfig);
  return server.api.runWhen(runId, isCompleted);
}

/** What Temporal was asked to schedule for the run. */
async function scheduledActivity(externalId: string) {
  const { events } = await temporal.client.workflow.getHandle(`session/dev/${externalId}`).fetchHistory();
  const scheduled = events?.find((event) => event.activityTaskScheduledEventAttributes);
  return scheduled?.activityTaskScheduledEventAttributes;
}

describe.concurrent('basePayload, tags and idleTimeoutInSeconds', () => {
  test('reach the run and its task', async ({ expect }) => {
    const basePayload = { chatId: 'c', nested: { list: [1, null, '🙂'] } };
    const tags = ['chat:c', 'a', 'b', 'c', 'ünïcode'];
    const { body, runId } = await start('placed', { basePayload, tags, idleTimeoutInSeconds: 77 });
    const payload = { ...basePayload, idleTimeoutInSeconds: 77, sessionId: body.id };
    const run = await server.api.runWhen(runId, isCompleted);
    expect(run).toMatchObject({ status: 'COMPLETED', tags, payload, output: { payload, attempt: 1 } });
    expect(run.output.run).toEqual({
      id: runId,
      number: 1,
      reason: 'initial',
      tags,
      idleTimeoutInSeconds: 77,
      maxDuration: null,
    });
  });

  test('are left out where the config has none', async ({ expect }) => {
    const run = await finished('placed', {});
    expect(run.tags).toEqual([]);
    expect(run.output.run).toMatchObject({ tags: [], idleTimeoutInSeconds: null, maxDuration: null });
    expect(Object.keys(run.payload)).toEqual(['sessionId']);
  });
});

describe.concurrent('maxAttempts', () => {
  test.for([
    [1, 1],
    [2, 2],
    [3, 3],
    [undefined, 3],
  ] as const)('%s: a task that always throws is executed %i times', async ([maxAttempts, attempts], { expect }) => {
    const { body, runId } = await start('fail', maxAttempts === undefined ? {} : { maxAttempts });
    const run = await server.api.runWhen(runId, isCompleted);
    expect(run).toMatchObject({ status: 'FAILED', isFailed: true, attemptCount: attempts });
    expect(run.error).toMatchObject({ name: 'RangeError', message: `attempt ${attempts} failed` });
    expect(tasks.of(body.id).map(({ attempt }) => attempt)).toEqual(Array.from({ length: attempts }, (_, n) => n + 1));
  });
});

describe.concurrent('maxDuration', () => {
  test('ends the attempt about then, and no other follows', async ({ expect }) => {
    const { body, runId } = await start('hold', { maxDuration: 1 });
    const run = await server.api.runWhen(runId, isCompleted);
    expect(run).toMatchObject({ status: 'TIMED_OUT', isFailed: true, attemptCount: 1 });
    expect(run.error).toMatchObject({ name: 'MaxDurationExceeded' });
    expectAbout(expect, run.durationMs, 1_000);
    expect(tasks.of(body.id)).toHaveLength(1);
  });

  test('counts, whatever a task that ignored its signal returns later', async ({ expect }) => {
    const run = await finished('deaf', { maxDuration: 1 });
    expect(run).toMatchObject({ status: 'TIMED_OUT', attemptCount: 1 });
    expect(run.output).toBeUndefined();
  });

  test('is of the run, not of each attempt', async ({ expect }) => {
    const { body, runId } = await start('fail', { maxDuration: 1, maxAttempts: 10 });
    expect(await server.api.runWhen(runId, isCompleted)).toMatchObject({ status: 'TIMED_OUT' });
    expect(tasks.of(body.id).length).toBeLessThanOrEqual(3);
  });

  test('leaves a run alone that ends before', async ({ expect }) => {
    const run = await finished('placed', { maxDuration: 30 });
    expect(run).toMatchObject({ status: 'COMPLETED', output: { run: { maxDuration: 30 } } });
  });
});

const lateMs = 3_000;

function expectAbout(expect: ExpectStatic, durationMs: number, wantedMs: number): void {
  expect(durationMs).toBeGreaterThanOrEqual(wantedMs);
  expect(durationMs).toBeLessThan(wantedMs + lateMs);
}

describe.concurrent('queue', () => {
  test('is the only one whose workers are given the run', async ({ expect }) => {
    expect((await finished('placed', { queue: 'fast-lane' })).output.taskQueue).toBe('dev/fast-lane');
  });

  test('that nobody serves keeps the run until somebody does', async ({ expect }) => {
    const { runId } = await start('placed', { queue: 'slow-lane' });
    // By then the workers of the task's own queue would have had it.
    await finished('placed', {});
    expect((await server.api.run(runId)).body).toMatchObject({ status: 'QUEUED', isQueued: true, attemptCount: 0 });
    const worker = await startPlacedTasks({ site, server, queue: 'slow-lane' });
    expect((await server.api.runWhen(runId, isCompleted)).output.taskQueue).toBe('dev/slow-lane');
    await worker.stop();
  });
});

describe.concurrent('machine and region', () => {
  // One worker is on small-1x in eu, another one serves all.
  test.for([
    [{ machine: 'small-1x' }, '/small-1x'],
    [{ machine: 'micro' }, ''],
    [{ region: 'eu' }, '/eu'],
    [{ region: 'moon' }, ''],
    [{ machine: 'small-1x', region: 'eu' }, '/small-1x/eu'],
    [{ machine: 'small-1x', region: 'moon' }, '/small-1x'],
    [{ machine: 'micro', region: 'moon' }, ''],
  ] as const)('%j: the run goes to the queue of the task, followed by %j', async ([config, place], { expect }) => {
    const run = await finished('placed', config);
    expect(run.output.taskQueue).toBe(`dev/task/placed${place}`);
    expect(run.region).toBe('region' in config ? config.region : undefined);
  });
});

describe.concurrent('lockToVersion', () => {
  test('waits for a worker of that version, says so, and is never served by another', async ({ expect }) => {
    const { body, runId } = await start('placed', { lockToVersion: '20260801.1' });
    expect(body.pendingVersion).toBe(true);
    await finished('placed', {});
    const pending = await server.api.run(runId);
    expect(pending.body).toMatchObject({ status: 'PENDING_VERSION', isQueued: true, version: '20260801.1' });
    const worker = await startPlacedTasks({ site, server, version: '20260801.1' });
    const run = await server.api.runWhen(runId, isCompleted);
    expect(run).toMatchObject({ status: 'COMPLETED', attemptCount: 1, version: '20260801.1' });
    expect(run.output.taskQueue).toBe('dev/task/placed@20260801.1');
    // Who polls a queue is remembered for two seconds.
    const pendingVersion = async () => (await start('placed', { lockToVersion: '20260801.1' })).body.pendingVersion;
    await expect.poll(pendingVersion, { timeout: 10_000 }).toBeUndefined();
    const unlocked = await Promise.all(Array.from({ length: 5 }, () => finished('placed', {})));
    expect(new Set(unlocked.map(({ output }) => output.taskQueue))).toEqual(new Set(['dev/task/placed']));
    await worker.stop();
  });

  test('is told by appends while the run waits, and no more once an attempt has it', async ({ expect }) => {
    const version = '20260802.7';
    const { body, runId } = await start('placed', { lockToVersion: version });
    const append = async () =>
      (await server.api.call(`/realtime/v1/sessions/${body.id}/in/append`, { method: 'POST', body: 'x' })).body;
    expect(await append()).toEqual({ ok: true, seq: 0, pendingVersion: true });
    const worker = await startPlacedTasks({ site, server, version });
    await server.api.runWhen(runId, isCompleted);
    // By now the records have woken runs that are served.
    await expect.poll(async () => (await append()).pendingVersion, { timeout: 10_000 }).toBeUndefined();
    await worker.stop();
    const unlocked = await start('placed', {});
    const path = `/realtime/v1/sessions/${unlocked.body.id}/in/append`;
    const plain = await server.api.call(path, { method: 'POST', body: 'x' });
    expect(plain.body).toEqual({ ok: true, seq: 0 });
  });

  test('holds within a queue, too', async ({ expect }) => {
    const worker = await startPlacedTasks({ site, server, queue: 'fast-lane', version: '2' });
    const run = await finished('placed', { queue: 'fast-lane', lockToVersion: '2' });
    expect(run.output.taskQueue).toBe('dev/fast-lane@2');
    await worker.stop();
  });
});

describe.concurrent('ttl', () => {
  test.for([1, '1s'])('%j: a run that no worker took in time has expired', async (ttl, { expect }) => {
    const { body, externalId, runId } = await start('nobody-serves-this', { ttl });
    expect((await server.api.run(runId)).body).toMatchObject({ status: 'QUEUED', ttl: '1s' });
    const run = await server.api.runWhen(runId, isCompleted);
    expect(run).toMatchObject({ status: 'EXPIRED', isFailed: true, attemptCount: 0, durationMs: 0 });
    expect(run.expiredAt).toBe(run.finishedAt);
    expectAbout(expect, Date.parse(run.finishedAt) - Date.parse(run.createdAt), 1_000);
    expect((await server.api.session(body.id)).body).toMatchObject({ closedAt: null, currentRunId: null });
    const next = await server.api.create({ externalId, taskIdentifier: 'nobody-serves-this' });
    expect(next.body.runId).not.toBe(runId);
  });

  test('is over once a worker has taken the run', async ({ expect }) => {
    const { runId } = await start('deaf', { ttl: 1 });
    const run = await server.api.runWhen(runId, isCompleted);
    expect(run).toMatchObject({ status: 'COMPLETED', output: 'done', ttl: '1s' });
    expect(run.durationMs).toBeGreaterThan(1_000);
  });
});

describe.concurrent('concurrencyKey, concurrency and externalDeploymentId', () => {
  test.for([
    ['a name', 'tenant-1', 'tenant-1'],
    ['a number', 42, '42'],
    ['a text that is not ASCII', 'schlüssel mit raum', 'schl%fcssel%20mit%20raum'],
    ['a long text', `${'y'.repeat(448)}${'x'.repeat(64)}`, 'x'.repeat(64)],
  ] as const)(
    '%s as key makes turns fair, and its run is executed',
    async ([, concurrencyKey, fairnessKey], { expect }) => {
      const { body, externalId, runId } = await start('placed', { concurrencyKey });
      expect(body.triggerConfig.concurrencyKey).toBe(String(concurrencyKey));
      expect(await server.api.runWhen(runId, isCompleted)).toMatchObject({ status: 'COMPLETED' });
      expect((await scheduledActivity(externalId))?.priority).toMatchObject({ fairnessKey });
    },
  );

  test('limits and deployment are taken and shown again, and the run is executed', async ({ expect }) => {
    const config = { concurrency: ['per-user', 'per_org'], externalDeploymentId: 'deploy-7' };
    const { body, runId } = await start('placed', config);
    expect(body.triggerConfig).toEqual({ basePayload: {}, ...config });
    expect(await server.api.runWhen(runId, isCompleted)).toMatchObject({ status: 'COMPLETED' });
  });
});

describe.concurrent('a later change', () => {
  test('leaves the live run alone, and the next run has it', async ({ expect }) => {
    const before = { basePayload: { turn: 1 }, tags: ['before'], maxDuration: 60 };
    const after = { basePayload: { turn: 2 }, tags: ['after'], maxDuration: 120, idleTimeoutInSeconds: 9 };
    const { externalId, runId, body } = await start('hold', before);
    await server.api.runWhen(runId, ({ isExecuting }) => isExecuting);
    expect(await server.api.create({ externalId, triggerConfig: after })).toMatchObject({
      status: 200,
      body: { runId, triggerConfig: after },
    });
    expect((await server.api.run(runId)).body).toMatchObject({ tags: ['before'], payload: { turn: 1 } });
    await server.api.cancel(runId);
    await server.api.runWhen(runId, isCompleted);
    // A continuation that no caller sends a config along with.
    await temporal.client.workflow.getHandle(`session/dev/${externalId}`).signal('wake', { runNumber: 1 });
    const session = () => server.api.session(body.id);
    await expect.poll(async () => (await session()).body.currentRunId, { timeout: 10_000 }).not.toBeNull();
    const next = (await server.api.run((await session()).body.currentRunId)).body;
    expect(next).toMatchObject({ tags: ['after'], payload: { turn: 2, idleTimeoutInSeconds: 9, continuation: true } });
    await expect.poll(() => tasks.of(body.id).map(({ runNumber }) => runNumber), { timeout: 10_000 }).toEqual([1, 2]);
  });
});

test('fields of no meaning here are dropped, and wrong ones refused before anything is made', async ({ expect }) => {
  const { body } = await start('quick', { flavour: 'vanilla' });
  expect(body.triggerConfig).toEqual({ basePayload: {} });
  const triggerConfig = { basePayload: {}, machine: 'huge', maxAttempts: 11, ttl: 'soon', maxDuration: 0 };
  const refused = await server.api.create({ externalId: 'config-wrong', triggerConfig });
  expect(refused.status).toBe(422);
  const fields = refused.body.details.map(({ path }: { path: string[] }) => path.join('.'));
  expect(fields.sort()).toEqual(
    ['machine', 'maxAttempts', 'maxDuration', 'ttl'].map((name) => `triggerConfig.${name}`),
  );
  expect((await server.api.session('config-wrong')).status).toBe(404);
});
