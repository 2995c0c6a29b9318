/** Which session a key names. What never changes about it is remembered, so that an append reads no wide row. */
import { type Environment, parseSessionId, type SessionId, sessionIdPrefix } from '../domain/ids.ts';
import { locatedSessionsMax } from '../domain/limits.ts';
import type { SessionStore } from '../sessions/ports.ts';

export interface LocatedSession {
  readonly id: SessionId;
  readonly externalId: string | null;
  readonly workflowId: string;
}

export type LocateSession = (environment: Environment, key: string) => Promise<LocatedSession | null>;

export function sessionLocator(sessions: Pick<SessionStore, 'findById' | 'findByExternalId'>): LocateSession {
  const located = new Map<string, LocatedSession>();

  function remember(name: string, session: LocatedSession): LocatedSession {
    located.delete(name);
    located.set(name, session);
    const [oldest] = located.keys();
    if (located.size > locatedSessionsMax && oldest !== undefined) located.delete(oldest);
    return session;
  }

  return async (environment, key) => {
    const name = `${environment.id}/${key}`;
    const known = located.get(name);
    if (known !== undefined) return remember(name, known);
    const id = key.startsWith(sessionIdPrefix) ? parseSessionId(key) : null;
    if (id === null && key.startsWith(sessionIdPrefix)) return null;
    const found =
      id === null ? await sessions.findByExternalId(environment.id, key) : await sessions.findById(environment.id, id);
    if (found === null) return null;
    return remember(name, { id: found.id, externalId: found.externalId, workflowId: found.workflowId });
  };
}
