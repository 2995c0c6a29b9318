/** A server, task workers and an operator around them: what the behaviour of a session's workflow is watched on. */
import type { Client } from '@temporalio/client';
import { workflowIdOf } from '../../src/sessions/workflow-id.ts';
import type { Database, Sql } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import type { Answer, Api } from '../harness/api.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { startTestTasks, type TestTasks } from '../harness/tasks.ts';
import { connectTo } from '../harness/temporal.ts';
import { brokenInvariants, type Rows, rowsOf } from '../storage/lifecycle.ts';
import { type StageTasks, startStageTasks } from './stage-tasks.ts';

export interface Stage {
  readonly site: Site;
  readonly server: TestServer;
  readonly api: Api;
  /** Of `test/harness/tasks.ts`. */
  readonly tasks: TestTasks;
  readonly own: StageTasks;
  /** Of the operator: sends signals as Temporal's own tools do, through no code of ours. */
  readonly client: Client;
  readonly database: Database;
  /** A new session, whose external id nobody else has. */
  open(taskIdentifier: string, changes?: Readonly<Record<string, unknown>>): Promise<OpenedSession>;
  signal(session: OpenedSession, name: string, ...orders: unknown[]): Promise<void>;
  /** Rows of a session, after its invariants were checked. */
  rows(session: OpenedSession): Promise<Rows>;
  stop(): Promise<void>;
}

export interface OpenedSession {
  readonly id: string;
  readonly runId: string;
  readonly externalId: string;
  readonly workflowId: string;
}

/** Of the stage's server: long enough for a run that is told to end to do so first. */
export const graceSeconds = 1;

/** @param temporalAddress of a private server; default: the shared one, in a namespace of its own */
export async function openStage(temporalAddress?: string): Promise<Stage> {
  const site = await openSite(temporalAddress === undefined ? {} : { temporalAddress });
  // Without the reconciler: what it would repair, a session's workflow must have done by itself.
  const environment = { CLOSE_GRACE_SECONDS: String(graceSeconds), RECONCILE_SECONDS: '0' };
  const server = await startTestServer({ site, environment });
  const operator = await connectTo(site.temporalAddress, site.namespace);
  const tasks = await startTestTasks({ site, server });
  const own = await startStageTasks(site, server, operator.connection);
  const database = openPostgres({ url: site.databaseUrl, poolSize: 4, onProblem: () => undefined });
  return {
    site,
    server,
    api: server.api,
    tasks,
    own,
    client: operator.client,
    database,
    open: (taskIdentifier, changes) => openSession(server.api, taskIdentifier, changes),
    signal: ({ workflowId }, name, ...orders) => operator.client.workflow.getHandle(workflowId).signal(name, ...orders),
    rows: (session) => checkedRows(database, session),
    async stop() {
      await Promise.all([tasks.stop(), own.stop()]);
      await server.stop();
      await operator.close();
      await database.close();
      await site.remove();
    },
  };
}

let sessionsOpened = 0;

async function openSession(
  api: Api,
  taskIdentifier: string,
  changes?: Readonly<Record<string, unknown>>,
): Promise<OpenedSession> {
  sessionsOpened += 1;
  const externalId = `${taskIdentifier}-${sessionsOpened}`;
  const { status, body } = await api.create({ externalId, taskIdentifier, ...changes });
  if (status !== 201) throw new Error(`create answered ${status}: ${JSON.stringify(body)}`);
  return { id: body.id, runId: body.runId, externalId, workflowId: workflowIdOf('dev', externalId, '') };
}

/** Under the gate's lock, or they would be of different moments. */
async function checkedRows(database: Database, { id }: OpenedSession): Promise<Rows> {
  const rows = await database.transaction(async (sql) => {
    await sql.query('SELECT FROM gates WHERE session_id = $1 FOR SHARE', [id]);
    return rowsOf(sql, id);
  });
  const broken = brokenInvariants(rows);
  if (broken.length > 0) throw new Error(`${broken.join('; ')}: ${JSON.stringify(rows)}`);
  return rows;
}

export const isCompleted = (run: Answer['body']): boolean => run.isCompleted;
export const isExecuting = (run: Answer['body']): boolean => run.isExecuting;

/**
 * Transitions of this session wait while `act` goes on. It must take less than two seconds: then the database gives up
 * on what waits.
 */
export async function whileHeld(stage: Stage, session: OpenedSession, act: () => Promise<void>): Promise<void> {
  await stage.database.transaction(async (sql: Sql) => {
    await sql.query('SELECT FROM gates WHERE session_id = $1 FOR UPDATE', [session.id]);
    await act();
  });
}
