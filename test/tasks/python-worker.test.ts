/** A worker in another language serves the same sessions: the Python example claims, beats, ends, and is replaced. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { defineTask, startTaskWorker } from '../../src/tasks/index.ts';
import type { Answer } from '../harness/api.ts';
import { installTimeoutMs, whyNoPython } from '../harness/python-packages.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { rowsOf } from '../storage/lifecycle.ts';
import { installedPackages, type PythonWorker, startPythonWorker } from './python.ts';

const whyNot = await whyNoPython();
if (whyNot !== null && process.env['CI']) throw new Error(`a Python worker is tested, but ${whyNot}`);
if (whyNot !== null) console.warn(`No Python on this machine (${whyNot}): its suite is skipped.`);

describe.skipIf(whyNot !== null)('a Python worker', () => {
  let site: Site;
  let server: TestServer;
  let database: Database;
  let python: PythonWorker;

  beforeAll(async () => {
    await installedPackages();
    site = await openSite();
    server = await startTestServer({ site });
    database = openPostgres({ url: site.databaseUrl, poolSize: 2, onProblem: () => undefined });
    python = await startPythonWorker(site, 'snake');
  }, installTimeoutMs);

  afterAll(async () => {
    await python?.kill();
    await database?.close();
    await server?.stop();
    await site?.remove();
  });

  const create = (externalId: string, seconds: number) =>
    server.api.create({ externalId, taskIdentifier: 'snake', triggerConfig: { basePayload: { seconds } } });
  const isCompleted = (run: Answer['body']): boolean => run.isCompleted;
  const hasStarted = (run: Answer['body']): boolean => run.startedAt !== undefined;

  test('executes the first run of a session, and its continuation, on a claim of its own', async () => {
    const first = await create('snake-1', 0.2);
    const run = await server.api.runWhen(first.body.runId, isCompleted);
    expect(run).toMatchObject({
      status: 'COMPLETED',
      attemptCount: 1,
      startedAt: expect.any(String),
      output: { servedBy: 'python', session: 'snake-1', attempt: 1 },
    });
    const second = await create('snake-1', 0.2);
    expect(second.body).toMatchObject({ id: first.body.id, isCached: true });
    const next = await server.api.runWhen(second.body.runId, isCompleted);
    expect(next).toMatchObject({ status: 'COMPLETED', output: { servedBy: 'python' } });
    expect(next.payload.previousRunId).toBe(first.body.runId);
  });

  test('outlives the silence that would cost it its run, by its heartbeats', async () => {
    const { body } = await create('snake-2', 4);
    const run = await server.api.runWhen(body.runId, isCompleted);
    expect(run).toMatchObject({ status: 'COMPLETED', attemptCount: 1 });
    expect(run.durationMs).toBeGreaterThan(3_500);
  });

  test('is told of a cancellation', async () => {
    const { body } = await create('snake-3', 600);
    await server.api.runWhen(body.runId, hasStarted);
    await server.api.cancel(body.runId);
    const run = await server.api.runWhen(body.runId, isCompleted);
    expect(run).toMatchObject({ status: 'CANCELED', attemptCount: 1 });
  });

  test('that is killed leaves its run to our own worker on the same queue, as the second attempt', async () => {
    const { body } = await create('snake-4', 600);
    await server.api.runWhen(body.runId, hasStarted);
    const ours = await startTaskWorker({
      tasks: [defineTask({ id: 'snake', run: (_payload, { session, attempt }) => ({ served: session.key, attempt }) })],
      secretKey: site.devKey,
      temporal: { address: site.temporalAddress, namespace: site.namespace },
      shutdownGraceMs: 0,
    });
    await python.kill();
    const run = await server.api.runWhen(body.runId, isCompleted);
    expect(run).toMatchObject({ status: 'COMPLETED', attemptCount: 2, output: { served: 'snake-4', attempt: 2 } });
    const { runs } = await rowsOf(database, body.id);
    expect(runs).toMatchObject([{ no: 1, status: 'COMPLETED', attempts: 2 }]);
    await ours.stop();
  });
});
