import { type Session, sessionStateOf } from '../domain/session.ts';
import type { SessionStore } from './ports.ts';

/** An expiry that only the clock shows is written down before anyone is told of it (V11). */
export async function settled(sessions: Pick<SessionStore, 'settleExpiry'>, session: Session): Promise<Session> {
  const isUnsettled = session.expiredAt === null && sessionStateOf(session) === 'expired';
  return isUnsettled ? sessions.settleExpiry(session.id) : session;
}
