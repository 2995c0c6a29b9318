/** The gates of a batch of appends: only what an append goes by, as each column of a row takes time on both ends. */
import type { GateFacts } from '../../domain/append.ts';
import type { SessionId } from '../../domain/ids.ts';
import type { SqlRow, Statement } from '../database.ts';

/** A gate that this transaction holds. */
export interface HeldGate extends GateFacts {
  readonly sessionId: SessionId;
  readonly attempt: number;
  readonly waitedFor: boolean;
}

interface HeldRow extends SqlRow {
  session_id: string;
  run_no: number;
  live: boolean;
  attempt: number;
  consumed: number;
  next: number;
  closed_at: Date | null;
  closed_reason: string | null;
  expires_at: Date | null;
  expired_at: Date | null;
  waited_for: boolean;
}

// NO KEY, as every transition locks it.
const holdGatesSql = `
  SELECT session_id, run_no, live, attempt, consumed, next, closed_at, closed_reason, expires_at, expired_at, waited_for
  FROM gates WHERE session_id = ANY($1) ORDER BY session_id FOR NO KEY UPDATE`;

/**
 * Locked in the order of session ids: two batches in different orders would deadlock.
 * @param wait otherwise gates that somebody holds are left out
 */
export const holdGatesStatement = (sessionIds: readonly SessionId[], wait: boolean): Statement => ({
  text: wait ? holdGatesSql : `${holdGatesSql} SKIP LOCKED`,
  values: [sessionIds],
});

/** @param rows of that statement */
export const gatesOf = (rows: readonly SqlRow[]): ReadonlyMap<SessionId, HeldGate> =>
  new Map((rows as readonly HeldRow[]).map((row) => [row.session_id as SessionId, heldGateOf(row)]));

const heldGateOf = (row: HeldRow): HeldGate => ({
  sessionId: row.session_id as SessionId,
  runNumber: row.run_no,
  live: row.live,
  attempt: row.attempt,
  consumed: row.consumed,
  next: row.next,
  closedAt: row.closed_at,
  closedReason: row.closed_reason,
  expiresAt: row.expires_at,
  expiredAt: row.expired_at,
  waitedFor: row.waited_for,
});
