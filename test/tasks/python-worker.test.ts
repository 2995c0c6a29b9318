/** A worker in another language serves the same sessions: the Python example converses, beats, and is replaced. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { defineTask, startTaskWorker } from '../../src/tasks/index.ts';
import type { Answer } from '../harness/api.ts';
import { installTimeoutMs, whyNoPython } from '../harness/python-packages.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { rowsOf } from '../storage/lifecycle.ts';
import { conversationOf } from './conversation-stage.ts';
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

  async function converse(externalId: string, idleTimeoutInSeconds: number) {
    const triggerConfig = { basePayload: {}, idleTimeoutInSeconds };
    const { body } = await server.api.create({ externalId, taskIdentifier: 'snake', triggerConfig });
    return conversationOf(() => server, body);
  }
  const hasStarted = (run: Answer['body']): boolean => run.startedAt !== undefined;

  test('answers what is said, ends when nobody speaks, and goes on where it left off in a continuation', async () => {
    const conversation = await converse('snake-1', 2);
    await conversation.say('hello');
    await conversation.say('are you there?');
    await conversation.recordsAfterTurns(2);
    expect(await conversation.ended()).toMatchObject({
      status: 'COMPLETED',
      attemptCount: 1,
      output: { servedBy: 'python', session: 'snake-1', attempt: 1, answered: 2 },
    });
    await conversation.say('and now?');
    const records = await conversation.recordsAfterTurns(3);
    expect(records.flatMap(({ id, data }) => (data === '' ? [] : [[id, data]]))).toEqual([
      ['in-0/0', { type: 'text-delta', delta: 'Python heard: hello' }],
      ['in-1/0', { type: 'text-delta', delta: 'Python heard: are you there?' }],
      ['in-2/0', { type: 'text-delta', delta: 'Python heard: and now?' }],
    ]);
    const next = await conversation.ended((await conversation.currentRunId()) ?? '');
    expect(next).toMatchObject({ status: 'COMPLETED', output: { servedBy: 'python', answered: 1 } });
    expect(next.payload.previousRunId).toBe(conversation.runId);
  });

  test('outlives the silence that would cost it its run, by its heartbeats', async () => {
    const conversation = await converse('snake-2', 4);
    const run = await conversation.ended();
    expect(run).toMatchObject({ status: 'COMPLETED', attemptCount: 1 });
    expect(run.durationMs).toBeGreaterThan(3_500);
  });

  test('is told of a cancellation', async () => {
    const conversation = await converse('snake-3', 600);
    await server.api.runWhen(conversation.runId, hasStarted);
    await server.api.cancel(conversation.runId);
    expect(await conversation.ended()).toMatchObject({ status: 'CANCELED', attemptCount: 1 });
  });

  test('leaves its loop when its session is closed', async () => {
    const conversation = await converse('snake-closed', 600);
    await conversation.say('last words');
    await conversation.recordsAfterTurns(1);
    await server.api.call('/api/v1/sessions/snake-closed/close', { method: 'POST', body: {} });
    expect(await conversation.ended()).toMatchObject({ status: 'COMPLETED', output: { answered: 1 } });
  });

  test('that is killed leaves its run to our own worker on the same queue, as the second attempt', async () => {
    const conversation = await converse('snake-4', 600);
    await server.api.runWhen(conversation.runId, hasStarted);
    const ours = await startTaskWorker({
      tasks: [defineTask({ id: 'snake', run: (_payload, { session, attempt }) => ({ served: session.key, attempt }) })],
      secretKey: site.devKey,
      temporal: { address: site.temporalAddress, namespace: site.namespace },
      shutdownGraceMs: 0,
    });
    await python.kill();
    const run = await conversation.ended();
    expect(run).toMatchObject({ status: 'COMPLETED', attemptCount: 2, output: { served: 'snake-4', attempt: 2 } });
    const { runs } = await rowsOf(database, conversation.id);
    expect(runs).toMatchObject([{ no: 1, status: 'COMPLETED', attempts: 2 }]);
    await ours.stop();
  });
});
