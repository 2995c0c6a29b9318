/** Which session a key names. What never changes about it is remembered, so that an append reads no wide row. */
import { type Environment, parseSessionId, type SessionId, sessionIdPrefix } from '../domain/ids.ts';
import { locatedSessionsMax } from '../domain/limits.ts';
import { RecentMap } from '../recent-map.ts';
import type { SessionStore } from '../sessions/ports.ts';

export interface LocatedSession {
  readonly id: SessionId;
  readonly externalId: string | null;
  readonly workflowId: string;
}

export type LocateSession = (environment: Environment, key: string) => Promise<LocatedSession | null>;

export function sessionLocator(sessions: Pick<SessionStore, 'findById' | 'findByExternalId'>): LocateSession {
  const located = new RecentMap<string, LocatedSession>(locatedSessionsMax);

  function remember(name: string, session: LocatedSession): LocatedSession {
    located.set(name, session);
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
