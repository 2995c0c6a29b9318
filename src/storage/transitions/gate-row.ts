/**
 * The gate row under its lock. Every transition begins here: lock, then look in NEW statements, because
 * a statement's snapshot is older than its wait for the lock (lifecycle R2).
 */
import type { GateFacts } from '../../domain/append.ts';
import type { Gate } from '../../domain/gate.ts';
import type { EnvironmentName, SessionId } from '../../domain/ids.ts';
import type { OwnedSession } from '../../domain/transition.ts';
import type { Sql, SqlRow } from '../database.ts';

/** A gate that this transaction holds, as far as an append goes by it. */
export interface HeldGate extends GateFacts {
  readonly sessionId: SessionId;
  readonly attempt: number;
  readonly waitedFor: boolean;
}

export interface HeldRow extends SqlRow {
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

/** A gate that this transaction holds, with the immutable facts of its session. */
export interface LockedGate extends Gate {
  readonly sessionId: SessionId;
  readonly externalId: string | null;
  readonly taskIdentifier: string;
  readonly environment: EnvironmentName;
}

interface GateRow extends HeldRow {
  owner: string;
  owner_started_at: Date;
  began: number | null;
  wake_after: number | null;
  barren: number;
  external_id: string | null;
  task_identifier: string;
  environment: string;
}

// NO KEY: inserts that reference the gate's session must pass while it is held.
const lockGateSql = `
  SELECT g.*, s.external_id, s.task_identifier, e.name AS environment
  FROM gates g JOIN sessions s ON s.id = g.session_id JOIN environments e ON e.id = s.environment_id
  WHERE g.session_id = $1
  FOR NO KEY UPDATE OF g`;

/** Null when there is no such session. */
export async function lockGate(sql: Sql, sessionId: SessionId): Promise<LockedGate | null> {
  const [row] = await sql.query<GateRow>(lockGateSql, [sessionId]);
  return row === undefined ? null : gateOf(row);
}

const lockGatesSql = `
  SELECT g.*, s.external_id, s.task_identifier, e.name AS environment
  FROM gates g JOIN sessions s ON s.id = g.session_id JOIN environments e ON e.id = s.environment_id
  WHERE g.session_id = ANY($1)
  ORDER BY g.session_id
  FOR NO KEY UPDATE OF g`;

/** Several gates, in the order of session ids: two batches in different orders would deadlock. However long somebody else holds one. */
export async function lockGates(
  sql: Sql,
  sessionIds: readonly SessionId[],
): Promise<ReadonlyMap<SessionId, LockedGate>> {
  const rows = await sql.query<GateRow>(lockGatesSql, [sessionIds]);
  return new Map(rows.map((row) => [row.session_id as SessionId, gateOf(row)]));
}

/** LOCK(owner) of the design: null means that another workflow owns the session, or none exists. */
export async function lockOwnGate(sql: Sql, order: OwnedSession): Promise<LockedGate | null> {
  const gate = await lockGate(sql, order.sessionId);
  return gate !== null && gate.owner === order.owner.id ? gate : null;
}

export const heldGateOf = (row: HeldRow): HeldGate => ({
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

function gateOf(row: GateRow): LockedGate {
  return {
    ...heldGateOf(row),
    externalId: row.external_id,
    taskIdentifier: row.task_identifier,
    environment: row.environment as EnvironmentName,
    owner: row.owner,
    ownerStartedAtMs: row.owner_started_at.getTime(),
    began: row.began,
    wakeAfter: row.wake_after,
    barren: row.barren,
  };
}

/** The database's clock, read after the lock: the only clock that expiry is judged by. */
export async function readClock(sql: Sql): Promise<Date> {
  const [row] = await sql.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  if (row === undefined) throw new Error('the database returned no clock');
  return row.now;
}
