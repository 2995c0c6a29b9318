/**
 * A part that a request needs is down, or so slow that it might as well be: the caller gets a 503 in the error shape
 * within the deadline, readiness says which part, and all goes on by itself when the part is back. Nothing half done.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answerDeadlineMs } from '../../src/domain/limits.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import type { Answer } from '../harness/api.ts';
import { type PostgresServer, startPostgres } from '../harness/postgres-server.ts';
import type { PrivateTemporal } from '../harness/private-temporal.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { startTestTasks, type TestTasks } from '../harness/tasks.ts';
import { startPrivateTemporal } from '../harness/temporal.ts';

let temporal: PrivateTemporal;
let postgres: PostgresServer;
let site: Site;
let server: TestServer;
/** Has seen no session of the others. */
let elsewhere: TestServer;
let tasks: TestTasks;

beforeAll(async () => {
  [temporal, postgres] = await Promise.all([startPrivateTemporal(), startPostgres()]);
  const database = openPostgres({ url: postgres.url(), poolSize: 1, onProblem: () => undefined });
  await migrate(database);
  await database.close();
  site = await openSite({ databaseUrl: postgres.url(), temporalAddress: temporal.address });
  server = await startTestServer({ site });
  tasks = await startTestTasks({ site, server });
});

// A server of each test's own, because one outage shows it what the next is to meet.
beforeEach(async () => {
  elsewhere = await startTestServer({ site });
});

afterEach(() => elsewhere?.stop());

afterAll(async () => {
  await tasks?.stop();
  await server?.stop();
  await temporal?.stop();
  await postgres?.remove();
});

/** The machine may be busy: the deadline is the product's, the rest is the way of the answer. */
const inTimeMs = answerDeadlineMs + 5_000;

async function expectUnavailable(call: () => Promise<Answer>, part: string): Promise<void> {
  const startedAt = Date.now();
  const answer = await call();
  expect(Date.now() - startedAt).toBeLessThan(inTimeMs);
  expect(answer.status).toBe(503);
  expect(answer.body).toEqual({ error: expect.stringContaining(part) });
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
}

const ready = () => server.api.call('/readyz', { key: null });

const outages = {
  'the database stopped': { part: 'database', begin: () => postgres.stop(), end: () => postgres.start() },
  'the database frozen': { part: 'database', begin: () => postgres.freeze(), end: async () => postgres.thaw() },
  'Temporal killed': { part: 'temporal', begin: () => temporal.kill(), end: () => temporal.restart() },
  'Temporal frozen': { part: 'temporal', begin: async () => temporal.pause(), end: async () => temporal.resume() },
} as const;

describe('an outage', () => {
  test.each(Object.entries(outages))('%s', { timeout: 120_000 }, async (name, { part, begin, end }) => {
    const key = `key ${name}`;
    const headers = { 'x-trigger-request-idempotency-key': key };
    const create = () => server.api.create({ externalId: `during ${name}` }, { headers });
    const before = await server.api.create({ externalId: `before ${name}` });
    expect(before.status).toBe(201);

    await begin();
    await expectUnavailable(create, part);
    await expect.poll(ready, { timeout: 10_000 }).toMatchObject({ status: 503, body: { parts: { [part]: 'down' } } });
    expect((await server.api.call('/healthz', { key: null })).status).toBe(200);
    if (part === 'temporal') {
      // What needs no order still answers: reads, and a cached create.
      expect((await server.api.session(before.body.id)).status).toBe(200);
      for (const { api } of [server, elsewhere]) {
        expect((await api.create({ externalId: `before ${name}` })).status).toBe(200);
      }
    } else {
      // Whoever knows that it is away orders nothing that would wait for it.
      await expectUnavailable(() => server.api.create({ externalId: `ordered in vain ${name}` }), part);
    }

    await end();
    await expect.poll(ready, { timeout: 40_000 }).toMatchObject({ status: 200 });
    const after = await retried(create);
    expect(after.status).toBe(201);
    await expect.poll(() => tasks.of(after.body.id), { timeout: 30_000 }).toHaveLength(1);
    const run = await server.api.runWhen(after.body.runId, ({ isExecuting }) => isExecuting);
    expect(run.attemptCount).toBe(1);
    // The session of before the outage: one run, whose attempt the outage may have cost, and no other.
    const { body } = await server.api.session(before.body.id);
    expect(body.currentRunId).toBe(before.body.runId);
    expect((await server.api.session(`ordered in vain ${name}`)).status).toBe(404);
  });
});

/** As the SDK does: four times more, after a pause. */
async function retried(call: () => Promise<Answer>): Promise<Answer> {
  let answer = await call();
  for (let tries = 1; tries < 5 && answer.status === 503; tries += 1) answer = await call();
  return answer;
}
