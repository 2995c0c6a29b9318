/** Sessions in each of their states, and credentials of every kind, around a whole server. */
import type { EnvironmentId } from '../../src/domain/ids.ts';
import { importRootKey, signPublicToken } from '../../src/tokens/sign.ts';
import { isCompleted, isExecuting, type OpenedSession, openStage, type Stage } from '../workflows/stage.ts';
import { until } from '../workflows/wait.ts';

export interface SessionStage extends Stage {
  /** A new session in that state. */
  inState(state: State): Promise<OpenedSession>;
  /** A public token of the dev environment. */
  tokenOf(...scopes: string[]): Promise<string>;
}

export const openStates = ['open idle', 'open running', 'workflow terminated'] as const;
export const endedStates = ['closed', 'expired', 'overdue'] as const;
export type State = (typeof openStates)[number] | (typeof endedStates)[number];

export async function openSessionStage(): Promise<SessionStage> {
  const stage = await openStage();
  const claims = await stage.api.call('/api/v1/auth/jwt/claims', { method: 'POST' });
  const environment = { id: claims.body.sub as EnvironmentId, name: 'dev' as const };
  const rootKey = await importRootKey(stage.site.devKey);
  return {
    ...stage,
    inState: (state) => bringTo[state](stage),
    tokenOf: (...scopes) => signPublicToken({ environment, rootKey, scopes, ttlSeconds: 60 }),
  };
}

const bringTo: Readonly<Record<State, (stage: Stage) => Promise<OpenedSession>>> = {
  'open idle': openIdle,
  async 'open running'(stage) {
    const session = await stage.open('hold');
    await stage.api.runWhen(session.runId, isExecuting);
    return session;
  },
  async 'workflow terminated'(stage) {
    const session = await openIdle(stage);
    await stage.client.workflow.getHandle(session.workflowId).terminate('lost');
    return session;
  },
  async closed(stage) {
    const session = await openIdle(stage);
    await stage.signal(session, 'close', { reason: 'first' });
    await untilEnd(stage, session, 'closed_at');
    return session;
  },
  async expired(stage) {
    const session = await overdue(stage);
    await stage.signal(session, 'expire');
    await untilEnd(stage, session, 'expired_at');
    return session;
  },
  overdue,
};

async function openIdle(stage: Stage): Promise<OpenedSession> {
  const session = await stage.open('quick');
  await stage.api.runWhen(session.runId, isCompleted);
  return session;
}

/** Past its expiry by the clock, and nobody has noticed. */
async function overdue(stage: Stage): Promise<OpenedSession> {
  const session = await openIdle(stage);
  await stage.database.query(
    `UPDATE gates SET expires_at = clock_timestamp() - interval '1 ms' WHERE session_id = $1`,
    [session.id],
  );
  return session;
}

function untilEnd(stage: Stage, session: OpenedSession, mark: 'closed_at' | 'expired_at') {
  return until(async () => (await stage.rows(session)).gate[mark] instanceof Date, `${mark} is set`);
}
