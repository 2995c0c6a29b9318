/** A wait, checked and registered under the lock that appends to its stream take (V7: lock, then look). */
import { mayWait, stateOf } from '../../domain/gate.ts';
import type { SessionId, WaitpointId } from '../../domain/ids.ts';
import { waitpointsPerStreamMax } from '../../domain/limits.ts';
import { firstStateOf, type WaitOrder } from '../../domain/waitpoint.ts';
import type { Registration } from '../../sessions/waitpoint-ports.ts';
import type { Database, Sql } from '../database.ts';
import { expireIfPast } from '../transitions/expire-gate.ts';
import { type LockedGate, lockGates, readClock } from '../transitions/gate-row.ts';
import { insertWaitpoint } from './insert.ts';

export function registerWaitpoint(db: Database, order: WaitOrder): Promise<Registration> {
  return db.transaction(async (sql) => {
    // A run may wait for another session's stream; both gates in the order of ids.
    const gates = await lockGates(sql, [...new Set([order.run.sessionId, order.sessionId])]);
    const session = await settled(sql, gateAmong(gates, order.sessionId));
    if (order.stream === 'out') await sql.query(lockOutSql, [order.sessionId]);
    const found = await look(sql, order);
    const { run, attempt } = order;
    if (!mayWait(gateAmong(gates, run.sessionId), { runNumber: run.number, attempt, final: found.final })) {
      return { kind: 'refused' };
    }
    if (found.cached !== null) return { kind: 'registered', id: found.cached, isCached: true };
    const state = firstStateOf({
      stream: order.stream,
      first: found.first,
      session: stateOf(session, found.now),
    });
    if (state === 'pending' && found.pending >= waitpointsPerStreamMax) return { kind: 'crowded' };
    await insertWaitpoint(
      sql,
      { ...order, place: { sessionId: order.sessionId, workflowId: null } },
      { ...found, state },
    );
    return { kind: 'registered', id: order.id, isCached: false };
  });
}

export const lockOutSql = 'SELECT FROM outs WHERE session_id = $1 FOR NO KEY UPDATE';

function gateAmong(gates: ReadonlyMap<SessionId, LockedGate>, sessionId: SessionId): LockedGate {
  const gate = gates.get(sessionId);
  if (gate === undefined) throw new Error(`session ${sessionId} has no gate`);
  return gate;
}

/** V11: an expiry that only the clock shows is written down, with its records, before a waiter is told of it. */
async function settled(sql: Sql, gate: LockedGate): Promise<LockedGate> {
  if (gate.expiresAt === null || gate.expiredAt !== null) return gate;
  return expireIfPast(sql, gate, await readClock(sql));
}

// A command is no record that anybody waits for: its first header has no name.
const lookSql = `
  SELECT clock_timestamp() AS now,
    (SELECT finished_at IS NOT NULL FROM runs WHERE id = $1) AS final,
    (SELECT id FROM waitpoints WHERE session_id = $2 AND stream = $3 AND idempotency_digest = $4
      AND (idempotency_expires_at IS NULL OR idempotency_expires_at > clock_timestamp())) AS cached,
    (SELECT seq FROM records WHERE session_id = $2 AND stream = $3 AND seq > $5
      AND (headers IS NULL OR headers->0->>0 <> '') ORDER BY seq LIMIT 1) AS first,
    (SELECT count(*) FROM waitpoints WHERE session_id = $2 AND stream = $3 AND state = 'pending') AS pending`;

interface Look {
  readonly now: Date;
  readonly final: boolean;
  readonly cached: WaitpointId | null;
  readonly first: number | null;
  readonly pending: number;
}

async function look(sql: Sql, order: WaitOrder): Promise<Look> {
  const [found] = await sql.query<Look & Record<string, unknown>>(lookSql, [
    order.run.id,
    order.sessionId,
    order.stream,
    order.idempotency?.digest ?? null,
    order.after,
  ]);
  if (found === undefined) throw new Error('the database returned no clock');
  return found;
}
