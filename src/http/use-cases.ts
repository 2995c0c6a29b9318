/** What the routes call; `main` binds them to their parts. Each throws `Unavailable` when a part does not answer. */
import type { Result } from '../domain/failure.ts';
import type { Environment, EnvironmentId, RunId } from '../domain/ids.ts';
import type { SessionPage } from '../domain/list-page.ts';
import type { Session } from '../domain/session.ts';
import type { Claim, ClaimOrder, CursorOrder } from '../domain/transition.ts';
import type { CloseSessionOrder } from '../sessions/close-session.ts';
import type { CreatedSession, CreateSessionOrder } from '../sessions/create-session.ts';
import type { EndAndContinueRequest, HandedOver } from '../sessions/end-and-continue.ts';
import type { ListSessionsOrder } from '../sessions/list-sessions.ts';
import type { RunView } from '../sessions/retrieve-run.ts';
import type { UpdateSessionOrder } from '../sessions/update-session.ts';

interface RunAddress {
  readonly environment: Environment;
  readonly runId: RunId;
}

export interface UseCases {
  createSession(order: CreateSessionOrder): Promise<Result<CreatedSession>>;
  /** @param address `key` is a session id when it begins with `session_`, else an external id */
  retrieveSession(address: { readonly environmentId: EnvironmentId; readonly key: string }): Promise<Session | null>;
  listSessions(order: ListSessionsOrder): Promise<SessionPage>;
  closeSession(order: CloseSessionOrder): Promise<Session>;
  updateSession(order: UpdateSessionOrder): Promise<Result<Session>>;
  endAndContinue(request: EndAndContinueRequest): Promise<Result<HandedOver>>;
  retrieveRun(address: RunAddress): Promise<RunView | null>;
  cancelRun(address: RunAddress): Promise<Result<{ readonly id: RunId }>>;
  claimRun(order: ClaimOrder): Promise<Result<Claim>>;
  commitCursor(order: CursorOrder): Promise<Result<{ readonly cursor: number }>>;
}
