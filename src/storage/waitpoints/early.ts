/**
 * Waits on a session that has no row yet (protocol section 5, row-optional). Such a wait is told apart by the workflow
 * that will own the session. No lock stands between it and the create that may be under way, so nobody relies on the
 * moment: a sweep looks for rows that have come, and gives them their waits under the locks that appends take.
 */
import { mayWait, stateOf } from '../../domain/gate.ts';
import type { SessionId, WaitpointId } from '../../domain/ids.ts';
import { waitpointBatch, waitpointsPerStreamMax } from '../../domain/limits.ts';
import type { Direction } from '../../domain/stream.ts';
import { type EarlyWaitOrder, firstStateOf } from '../../domain/waitpoint.ts';
import type { Registration } from '../../sessions/waitpoint-ports.ts';
import type { Database, Sql } from '../database.ts';
import { expireIfPast } from '../transitions/expire-gate.ts';
import { lockGate, readClock } from '../transitions/gate-row.ts';
import { insertWaitpoint } from './insert.ts';
import { lockOutSql } from './register.ts';

// One at a time for each key: the count and the idempotency key are looked at before the insert.
const lockKeySql = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))';

const lookSql = `
  SELECT clock_timestamp() AS now,
    (SELECT finished_at IS NOT NULL FROM runs WHERE id = $1) AS final,
    (SELECT id FROM waitpoints WHERE awaited_workflow_id = $2 AND stream = $3 AND idempotency_digest = $4
      AND (idempotency_expires_at IS NULL OR idempotency_expires_at > clock_timestamp())) AS cached,
    (SELECT count(*) FROM waitpoints WHERE awaited_workflow_id = $2 AND stream = $3 AND state = 'pending') AS pending`;

type Look = { now: Date; final: boolean; cached: WaitpointId | null; pending: number };

export function registerEarly(db: Database, order: EarlyWaitOrder): Promise<Registration> {
  return db.transaction(async (sql) => {
    const { run, attempt, workflowId } = order;
    const gate = await lockGate(sql, run.sessionId);
    await sql.query(lockKeySql, [`waitpoints of ${workflowId}`]);
    const [found] = await sql.query<Look>(lookSql, [
      run.id,
      workflowId,
      order.stream,
      order.idempotency?.digest ?? null,
    ]);
    if (gate === null || found === undefined) throw new Error(`session ${run.sessionId} has no gate`);
    if (!mayWait(gate, { runNumber: run.number, attempt, final: found.final })) return { kind: 'refused' };
    if (found.cached !== null) return { kind: 'registered', id: found.cached, isCached: true };
    if (found.pending >= waitpointsPerStreamMax) return { kind: 'crowded' };
    const place = { sessionId: null, workflowId };
    await insertWaitpoint(sql, { ...order, place }, { now: found.now, state: 'pending', first: null });
    return { kind: 'registered', id: order.id, isCached: false };
  });
}

const arrivedSql = `
  SELECT DISTINCT s.id, s.workflow_id FROM waitpoints w JOIN sessions s ON s.workflow_id = w.awaited_workflow_id
  WHERE w.awaited_workflow_id IS NOT NULL AND w.state = 'pending' ORDER BY s.id LIMIT $1`;

type Arrived = { id: SessionId; workflow_id: string };

/** Gives sessions that have come their waits. @returns workflow ids of those sessions */
export async function adoptEarly(db: Database): Promise<readonly string[]> {
  const arrived = await db.query<Arrived>(arrivedSql, [waitpointBatch]);
  for (const { id, workflow_id: workflowId } of arrived) {
    await db.transaction((sql) => adopt(sql, { id, workflowId }));
  }
  return arrived.map((row) => row.workflow_id);
}

// A command is no record that anybody waits for: its first header has no name.
const earlySql = `
  SELECT w.id, w.stream, first.seq AS first
  FROM waitpoints w LEFT JOIN LATERAL (
    SELECT seq FROM records r WHERE r.session_id = $1 AND r.stream = w.stream AND r.seq > w.after_seq
      AND (r.headers IS NULL OR r.headers->0->>0 <> '') ORDER BY seq LIMIT 1
  ) first ON true
  WHERE w.awaited_workflow_id = $2 AND w.state = 'pending' ORDER BY w.id FOR UPDATE OF w`;

type Early = { id: string; stream: Direction; first: number | null };

// One that was registered since, by the same key, keeps that key. -1 stands for no record.
const adoptSql = `
  WITH gate AS (
    UPDATE gates SET waited_for = true WHERE session_id = $1 AND $5
  ), out AS (
    UPDATE outs SET waited_for = true WHERE session_id = $1 AND $6
  )
  UPDATE waitpoints w SET session_id = $1, awaited_workflow_id = NULL, state = early.state,
    record_seq = nullif(early.first, -1), completed_at = CASE WHEN early.state <> 'pending' THEN clock_timestamp() END,
    idempotency_digest = CASE WHEN NOT EXISTS (
      SELECT FROM waitpoints other WHERE other.session_id = $1 AND other.stream = w.stream
        AND other.idempotency_digest = w.idempotency_digest) THEN w.idempotency_digest END
  FROM unnest($2::text[], $3::text[], $4::bigint[]) AS early (id, state, first) WHERE w.id = ANY(ARRAY[early.id])`;

async function adopt(sql: Sql, { id, workflowId }: { id: SessionId; workflowId: string }): Promise<void> {
  const gate = await lockGate(sql, id);
  if (gate === null) throw new Error(`session ${id} has no gate`);
  await sql.query(lockOutSql, [id]);
  const now = await readClock(sql);
  const session = stateOf(await expireIfPast(sql, gate, now), now);
  const early = await sql.query<Early>(earlySql, [id, workflowId]);
  const states = early.map(({ stream, first }) => firstStateOf({ stream, first, session }));
  const isWaitedFor = (side: Direction) => early.some(({ stream }, at) => stream === side && states[at] === 'pending');
  await sql.query(adoptSql, [
    id,
    early.map((wait) => wait.id),
    states,
    early.map(({ first }) => first ?? -1),
    isWaitedFor('in'),
    isWaitedFor('out'),
  ]);
}
