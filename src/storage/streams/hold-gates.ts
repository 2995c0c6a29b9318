/** The gates of a batch of appends: only what an append goes by, as each column of a row takes time on both ends. */
import type { SessionId } from '../../domain/ids.ts';
import type { SqlRow, Statement } from '../database.ts';
import { type HeldGate, type HeldRow, heldGateOf } from '../transitions/gate-row.ts';

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
