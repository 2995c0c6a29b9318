/** A session by either form of its key: `session_...` is an id, everything else an external id, with no fallback between. */
import { type EnvironmentId, parseSessionId, sessionIdPrefix } from '../domain/ids.ts';
import type { Session } from '../domain/session.ts';
import type { SessionStore } from './ports.ts';

export async function retrieveSession(
  deps: { readonly sessions: SessionStore },
  address: { readonly environmentId: EnvironmentId; readonly key: string },
): Promise<Session | null> {
  const { environmentId, key } = address;
  if (!key.startsWith(sessionIdPrefix)) return deps.sessions.findByExternalId(environmentId, key);
  const id = parseSessionId(key);
  return id === null ? null : deps.sessions.findById(environmentId, id);
}
