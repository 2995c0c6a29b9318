/** Sessions in each of their states on either database, brought there by callers and operators alone. */
import type { Client } from '@temporalio/client';
import { workflowIdOf } from '../../src/sessions/workflow-id.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import type { Api } from '../harness/api.ts';
import { openSite, startTestServer } from '../harness/server.ts';
import { startTestTasks } from '../harness/tasks.ts';
import { connectTo } from '../harness/temporal.ts';
import { brokenInvariants, rowsOf } from '../storage/lifecycle.ts';
import { isCompleted, isExecuting, type OpenedSession } from '../workflows/stage.ts';
import { until } from '../workflows/wait.ts';

export interface StateStage {
  readonly url: string;
  readonly api: Api;
  inState(state: State): Promise<OpenedSession>;
  /** Of the rows, where another process can read them. */
  expectInvariants(session: OpenedSession): Promise<void>;
  stop(): Promise<void>;
}

const bringTo = {
  'open idle': (parts: Parts) => openIdle(parts),
  'open running': (parts: Parts) => openRunning(parts),
  async 'open, its workflow lost'(parts: Parts) {
    const session = await openIdle(parts);
    await workflowOf(parts, session).terminate('lost');
    return session;
  },
  async 'open running, its workflow lost'(parts: Parts) {
    const session = await openRunning(parts);
    await workflowOf(parts, session).terminate('lost');
    return session;
  },
  closed: async (parts: Parts) => closedBySignal(parts, await openIdle(parts)),
  'closed while running': async (parts: Parts) => closedBySignal(parts, await openRunning(parts)),
  async 'closed by cancelling its workflow'(parts: Parts) {
    const session = await openIdle(parts);
    await workflowOf(parts, session).cancel();
    return untilClosed(parts, session);
  },
  async 'closed, its workflow lost'(parts: Parts) {
    const session = await closedBySignal(parts, await openRunning(parts));
    // It may be over by then.
    await workflowOf(parts, session)
      .terminate('lost')
      .catch(() => undefined);
    return session;
  },
  expired: (parts: Parts) => expiring(parts, 'quick'),
  'expired while running': (parts: Parts) => expiring(parts, 'hold'),
} satisfies Record<string, (parts: Parts) => Promise<OpenedSession>>;

export type State = keyof typeof bringTo;
export const states = Object.keys(bringTo) as State[];

interface Parts {
  readonly api: Api;
  readonly client: Client;
}

export async function openStateStage(kind: 'postgres' | 'pglite'): Promise<StateStage> {
  const site = await openSite();
  const ownDatabase = kind === 'pglite' ? { DATABASE_URL: '' } : {};
  const server = await startTestServer({ site, environment: { CLOSE_GRACE_SECONDS: '30', ...ownDatabase } });
  const tasks = await startTestTasks({ site, server });
  const operator = await connectTo(site.temporalAddress, site.namespace);
  const database =
    kind === 'pglite' ? null : openPostgres({ url: site.databaseUrl, poolSize: 2, onProblem: () => undefined });
  return {
    url: server.url,
    api: server.api,
    inState: (state) => bringTo[state]({ api: server.api, client: operator.client }),
    async expectInvariants({ id }) {
      const broken = await database?.transaction(async (sql) => {
        // Under the gate's lock, or rows would be of different moments.
        await sql.query('SELECT FROM gates WHERE session_id = $1 FOR SHARE', [id]);
        return brokenInvariants(await rowsOf(sql, id));
      });
      if (broken !== undefined && broken.length > 0) throw new Error(broken.join('; '));
    },
    async stop() {
      await tasks.stop();
      await server.stop();
      await database?.close();
      await operator.close();
      await site.remove();
    },
  };
}

const workflowOf = ({ client }: Parts, { workflowId }: OpenedSession) => client.workflow.getHandle(workflowId);

let named = 0;

function newExternalId(taskIdentifier: string): string {
  named += 1;
  return `${taskIdentifier}-${named}`;
}

const openedSession = (externalId: string, { id, runId }: { id: string; runId: string }): OpenedSession => ({
  id,
  runId,
  externalId,
  workflowId: workflowIdOf('dev', externalId, ''),
});

async function open({ api }: Parts, taskIdentifier: string): Promise<OpenedSession> {
  const externalId = newExternalId(taskIdentifier);
  const { status, body } = await api.create({ externalId, taskIdentifier });
  if (status !== 201) throw new Error(`create answered ${status}: ${JSON.stringify(body)}`);
  return openedSession(externalId, body);
}

async function openIdle(parts: Parts): Promise<OpenedSession> {
  const session = await open(parts, 'quick');
  await parts.api.runWhen(session.runId, isCompleted);
  return session;
}

async function openRunning(parts: Parts): Promise<OpenedSession> {
  const session = await open(parts, 'hold');
  await parts.api.runWhen(session.runId, isExecuting);
  return session;
}

/** As an operator does it, in Temporal UI. */
async function closedBySignal(parts: Parts, session: OpenedSession): Promise<OpenedSession> {
  await workflowOf(parts, session).signal('close', { reason: 'first' });
  return untilClosed(parts, session);
}

async function untilClosed({ api }: Parts, session: OpenedSession): Promise<OpenedSession> {
  await until(async () => (await api.session(session.id)).body.closedAt !== null, 'the session is closed');
  return session;
}

/** On a busy machine a session may be past its expiry before it is made: another one gets twice the time. */
const livesMs = [1_500, 3_000, 6_000, 12_000];

async function expiring(parts: Parts, taskIdentifier: string): Promise<OpenedSession> {
  for (const lifeMs of livesMs) {
    const session = await openFor(parts, taskIdentifier, lifeMs);
    if (session === null) continue;
    const query = `filter[externalId]=${encodeURIComponent(session.externalId)}&filter[status]=EXPIRED`;
    await until(
      async () => (await parts.api.call(`/api/v1/sessions?${query}`)).body.data.length === 1,
      'the session is expired',
    );
    return session;
  }
  throw new Error('no session was made before its expiry');
}

async function openFor({ api }: Parts, taskIdentifier: string, lifeMs: number): Promise<OpenedSession | null> {
  const externalId = newExternalId(taskIdentifier);
  const expiresAt = new Date(Date.now() + lifeMs).toISOString();
  const { status, body } = await api.create({ externalId, taskIdentifier, expiresAt });
  return status === 201 ? openedSession(externalId, body) : null;
}
