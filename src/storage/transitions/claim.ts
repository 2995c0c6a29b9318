/** claim(n, attempt): from then on this attempt alone may write for the session (lifecycle section 5). */
import { mayClaim } from '../../domain/gate.ts';
import type { SessionId } from '../../domain/ids.ts';
import type { Claim, ClaimOrder } from '../../domain/transition.ts';
import type { RunOptions } from '../../domain/trigger-config.ts';
import type { Database, Sql } from '../database.ts';
import { type LockedGate, lockGate } from './gate-row.ts';

const readRunSql = `
  SELECT no, finished_at IS NOT NULL AS final, started_at, options, clock_timestamp() AS now FROM runs WHERE id = $1`;

const claimSql = `
  WITH gate AS (
    UPDATE gates SET attempt = $3, began = coalesce(began, next) WHERE session_id = $1
  ), fence AS (
    UPDATE outs SET fence_run = $2, fence_attempt = $3 WHERE session_id = $1
  )
  UPDATE runs SET attempts = greatest(attempts, $3), started_at = coalesce(started_at, clock_timestamp()), updated_at = clock_timestamp()
  WHERE session_id = $1 AND no = $2
  RETURNING started_at`;

/** Null: no such run in this environment. Refused: the attempt ends and is not tried again. */
export async function claimRun(db: Database, order: ClaimOrder): Promise<Claim | 'refused' | null> {
  const [run] = await db.query<{ session_id: SessionId }>(
    'SELECT session_id FROM runs WHERE id = $1 AND environment_id = $2',
    [order.runId, order.environmentId],
  );
  if (run === undefined) return null;
  return db.transaction(async (sql) => {
    const gate = await lockGate(sql, run.session_id);
    return gate === null ? null : claimUnderLock(sql, gate, order);
  });
}

async function claimUnderLock(sql: Sql, gate: LockedGate, order: ClaimOrder): Promise<Claim | 'refused'> {
  const [run] = await sql.query<{ no: number; final: boolean; options: RunOptions; now: Date }>(readRunSql, [
    order.runId,
  ]);
  if (run === undefined) return 'refused';
  const { no: runNumber, final, now } = run;
  if (!mayClaim(gate, { runNumber, attempt: order.attempt, final, now })) return 'refused';
  const [claimed] = await sql.query<{ started_at: Date }>(claimSql, [gate.sessionId, runNumber, order.attempt]);
  const { maxDuration } = run.options;
  return {
    sessionId: gate.sessionId,
    runNumber,
    attempt: order.attempt,
    cursor: gate.consumed,
    deadlineAt:
      maxDuration === undefined || claimed === undefined
        ? null
        : new Date(claimed.started_at.getTime() + maxDuration * 1000),
  };
}
