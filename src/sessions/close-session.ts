/** POST .../close: the workflow writes it once; whoever asks again is shown what stands. */
import type { Environment, RunId } from '../domain/ids.ts';
import type { Session } from '../domain/session.ts';
import { awaitRow } from './await-row.ts';
import { addressOf } from './create-session.ts';
import type { Changes, SessionOrders, SessionStore } from './ports.ts';

export interface CloseSessionDeps {
  readonly sessions: SessionStore;
  readonly orders: SessionOrders;
  readonly changes: Changes;
}

export interface CloseSessionOrder {
  readonly environment: Environment;
  readonly session: Session;
  readonly reason: string | null;
  /** The run that closes its own session: it needs no wake, and has told the readers of `out` itself. */
  readonly callingRunId: RunId | null;
}

/** The closed session. Of two closes at once the first to reach the row gives the reason of both. */
export async function closeSession(deps: CloseSessionDeps, order: CloseSessionOrder): Promise<Session> {
  const { environment, session, reason, callingRunId } = order;
  if (session.closedAt !== null) return session;
  return awaitRow(deps.changes, {
    workflowId: session.workflowId,
    send: () => deps.orders.close(addressOf(environment, session), { reason, callingRunId }),
    async read() {
      const now = await deps.sessions.findById(environment.id, session.id);
      return now === null || now.closedAt === null ? null : now;
    },
  });
}
