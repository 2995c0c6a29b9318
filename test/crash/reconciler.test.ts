/** The reconciler repairs what Temporal has forgotten, without any request, and finds nothing where all is well. */
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { Database } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import type { PrivateTemporal } from '../harness/private-temporal.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { startTestTasks, type TestTasks } from '../harness/tasks.ts';
import { connectTo, startPrivateTemporal, type TestTemporal } from '../harness/temporal.ts';
import { brokenInvariants, rowsOf } from '../storage/lifecycle.ts';

interface Engines {
  readonly temporal: PrivateTemporal;
  readonly site: Site;
  readonly database: Database;
}

interface Processes {
  readonly operator: TestTemporal;
  readonly server: TestServer;
  readonly tasks: TestTasks;
}

const inTime = { timeout: 60_000, interval: 100 };

function engineTest(name: string, tell: (engines: Engines) => Promise<void>): void {
  test(name, { timeout: 120_000 }, async () => {
    const temporal = await startPrivateTemporal();
    const site = await openSite({ temporalAddress: temporal.address });
    const database = openPostgres({ url: site.databaseUrl, poolSize: 2, onProblem: () => undefined });
    try {
      await tell({ temporal, site, database });
    } finally {
      await database.close();
      await site.remove();
      await temporal.stop();
    }
  });
}

/** One round a second, so that a test sees several. */
async function whileServed({ temporal, site }: Engines, act: (processes: Processes) => Promise<void>): Promise<void> {
  const server = await startTestServer({ site, environment: { RECONCILE_SECONDS: '1' } });
  const tasks = await startTestTasks({ site, server });
  const operator = await connectTo(temporal.address);
  try {
    await act({ server, tasks, operator });
  } finally {
    await tasks.stop();
    await server.stop();
    await operator.close();
  }
}

const healTest = (name: string, tell: (parts: Engines & Processes) => Promise<void>): void =>
  engineTest(name, (engines) => whileServed(engines, (processes) => tell({ ...engines, ...processes })));

describe.concurrent('the reconciler', () => {
  healTest(
    'ends a run that a lost store was executing, and the session goes on',
    async ({ temporal, server, tasks, database }) => {
      const { body } = await server.api.create({ externalId: 'lost' });
      await vi.waitFor(() => expect(tasks.of(body.id)).toHaveLength(1), inTime);
      await temporal.wipe();
      await vi.waitFor(async () => {
        expect((await rowsOf(database, body.id)).runs[0]).toMatchObject({ status: 'SYSTEM_FAILURE' });
      }, inTime);
      expect(brokenInvariants(await rowsOf(database, body.id))).toEqual([]);
      const next = await server.api.create({ externalId: 'lost' });
      expect(next).toMatchObject({ status: 200, body: { id: body.id } });
      await vi.waitFor(() => expect(tasks.of(body.id).map((each) => each.runNumber)).toEqual([1, 2]), inTime);
    },
  );

  healTest('adopts a session whose workflow an operator has terminated', async ({ operator, server, database }) => {
    const { body } = await server.api.create({ externalId: 'terminated' });
    await operator.client.workflow.getHandle('session/dev/terminated').terminate('by mistake');
    await vi.waitFor(async () => {
      expect((await rowsOf(database, body.id)).gate).toMatchObject({ live: false, run_no: 1 });
    }, inTime);
  });

  engineTest('has a run executed that began after the moment to which the store was set back', async (engines) => {
    const { temporal, database } = engines;
    const copy = await mkdtemp(join(temporal.dataDir, 'copy-'));
    await whileServed(engines, async ({ server, tasks }) => {
      const { body } = await server.api.create({ externalId: 'set back' });
      await vi.waitFor(() => expect(tasks.of(body.id)).toHaveLength(1), inTime);
      await server.api.cancel(body.runId);
      await server.api.runWhen(body.runId, (run) => run.isCompleted);
    });
    await temporal.kill();
    await copyStore(temporal.dataDir, copy);
    await temporal.restart();
    await whileServed(engines, async ({ server, tasks }) => {
      const { body } = await server.api.create({ externalId: 'set back' });
      await vi.waitFor(() => expect(tasks.of(body.id).map((each) => each.runNumber)).toEqual([2]), inTime);
    });
    await temporal.kill();
    await copyStore(copy, temporal.dataDir);
    await temporal.restart();
    await whileServed(engines, async ({ server, tasks }) => {
      const { body } = await server.api.session('set back');
      await vi.waitFor(() => expect(tasks.of(body.id).map((each) => each.runNumber)).toEqual([2]), inTime);
      await server.api.cancel(body.currentRunId);
      const run = await server.api.runWhen(body.currentRunId, ({ isCompleted }) => isCompleted);
      expect(run).toMatchObject({ status: 'CANCELED' });
      expect(brokenInvariants(await rowsOf(database, body.id))).toEqual([]);
    });
  });

  healTest(
    'wakes for a flagged record, and writes an overdue expiry down',
    async ({ operator, server, tasks, database }) => {
      const [woken, overdue] = await Promise.all(
        ['woken', 'overdue'].map((externalId) => server.api.create({ externalId, taskIdentifier: 'quick' })),
      );
      for (const made of [woken, overdue]) await server.api.runWhen(made?.body.runId, (run) => run.isCompleted);
      await operator.client.workflow.getHandle('session/dev/overdue').terminate('so that its timer is gone');
      await database.query('UPDATE gates SET wake_after = run_no WHERE session_id = $1', [woken?.body.id]);
      await database.query(`UPDATE gates SET expires_at = clock_timestamp() - interval '3 s' WHERE session_id = $1`, [
        overdue?.body.id,
      ]);
      await vi.waitFor(() => expect(tasks.of(woken?.body.id)).toHaveLength(2), inTime);
      await vi.waitFor(async () => {
        expect((await rowsOf(database, overdue?.body.id)).gate['expired_at']).not.toBeNull();
      }, inTime);
    },
  );

  healTest('finds nothing in a healthy system', async ({ operator, server, tasks }) => {
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        server.api.create({ externalId: `well ${index}`, taskIdentifier: index % 2 === 0 ? 'hold' : 'quick' }),
      ),
    );
    await vi.waitFor(() => expect(tasks.executions).toHaveLength(20), inTime);
    // Beyond the margin within which a young run is not asked about.
    await vi.waitFor(async () => expect(await roundsOf(operator)).toHaveLength(14), inTime);
    for (const report of await roundsOf(operator)) expect(report).toMatchObject({ woken: 0, expired: 0, adopted: 0 });
    const running = await Promise.all(
      made.filter((_, index) => index % 2 === 0).map(({ body }) => server.api.run(body.runId)),
    );
    expect(running.map(({ body }) => body.status)).toEqual(running.map(() => 'EXECUTING'));
  });
});

/** Of a server that does not run. */
async function copyStore(from: string, to: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm']) {
    const name = `temporal.db${suffix}`;
    await rm(join(to, name), { force: true });
    if ((await readdir(from)).includes(name)) await copyFile(join(from, name), join(to, name));
  }
}

/** What the newest fourteen rounds found. */
async function roundsOf({ client }: TestTemporal): Promise<unknown[]> {
  const found: unknown[] = [];
  const query = "WorkflowType = 'reconcile' AND ExecutionStatus = 'Completed'";
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    found.push(await client.workflow.getHandle(workflowId, runId).result());
    if (found.length === 14) break;
  }
  return found;
}
