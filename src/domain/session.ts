/** A session as its row shows it: the only truth that a caller ever sees. */
import { type SessionState, stateOf } from './gate.ts';
import type { EnvironmentId, RunId, SessionId } from './ids.ts';
import type { JsonObject, TriggerConfig } from './trigger-config.ts';

export interface Session {
  readonly id: SessionId;
  readonly environmentId: EnvironmentId;
  /** Id of the workflow that orders this session's transitions; unique, derived from external id or request key. */
  readonly workflowId: string;
  readonly externalId: string | null;
  readonly type: string;
  readonly taskIdentifier: string;
  readonly triggerConfig: TriggerConfig;
  readonly tags: readonly string[];
  readonly metadata: JsonObject | null;
  /** Key of the request that made the session: that caller, however often it repeats, is answered 201. */
  readonly requestKey: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly closedAt: Date | null;
  readonly closedReason: string | null;
  readonly expiresAt: Date | null;
  readonly expiredAt: Date | null;
  readonly currentRun: CurrentRun;
  /** Clock of the database at the read: expiry is judged by it alone. */
  readonly readAt: Date;
}

export interface CurrentRun {
  readonly id: RunId;
  readonly number: number;
  readonly live: boolean;
}

/** What a caller addresses a session by: external id, else id. */
export const sessionKey = (session: Pick<Session, 'id' | 'externalId'>): string => session.externalId ?? session.id;

export const sessionStateOf = (session: Session): SessionState => stateOf(session, session.readAt);
