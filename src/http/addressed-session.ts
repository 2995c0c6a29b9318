/** The session that a path names, for a caller that may do there what the route does (protocol sections 1.3 and 2.4). */
import { mayReadSession, permits, type ScopeCheck } from '../domain/scope.ts';
import type { Session } from '../domain/session.ts';
import { refuse } from './refusal.ts';
import { callerOf, type Exchange, pathPart } from './route.ts';
import type { UseCases } from './use-cases.ts';

/** Of a route that reads: what is absent comes before the scope. */
export async function sessionToRead(exchange: Exchange, useCases: Pick<UseCases, 'retrieveSession'>): Promise<Session> {
  const { environment, grant } = callerOf(exchange);
  const key = pathPart(exchange, 'session');
  const session = await useCases.retrieveSession({ environmentId: environment.id, key });
  if (session === null) return refuse({ code: 'not_found', retry: false });
  exchange.state.sessionId = session.id;
  if (!permits(grant, mayReadSession(keysOf(session)))) return refuse({ code: 'scope_missing' });
  return session;
}

const keysOf = ({ id, externalId }: Session): readonly string[] => [id, externalId ?? id];

export interface ActionRules {
  readonly useCases: Pick<UseCases, 'retrieveSession'>;
  readonly checks: (ids: readonly string[]) => readonly ScopeCheck[];
  readonly missing: 'session_not_found' | 'resource_not_found';
}

/**
 * Of a route that acts. I8: the scope is judged first, so that a token for another session cannot tell one
 * that exists from one that does not; both forms of the key open both forms of the path.
 */
export async function sessionToChange(
  exchange: Exchange,
  { useCases, checks, missing }: ActionRules,
): Promise<Session> {
  const { environment, grant } = callerOf(exchange);
  const key = pathPart(exchange, 'session');
  const session = await useCases.retrieveSession({ environmentId: environment.id, key });
  const ids = session === null ? [key] : keysOf(session);
  if (!permits(grant, checks(ids))) return refuse({ code: 'scope_missing' });
  if (session === null) return refuse({ code: missing });
  exchange.state.sessionId = session.id;
  return session;
}
