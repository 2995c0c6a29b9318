/** The two changes of a run's row: `start` and `finish` of the design. Both run under the gate's lock. */
import type { RunId } from '../../domain/ids.ts';
import type { FinalRunStatus, RunOutcome, RunReason } from '../../domain/run.ts';
import { runOptions, runPayload, type TriggerConfig } from '../../domain/trigger-config.ts';
import type { Sql } from '../database.ts';
import type { LockedGate } from './gate-row.ts';

export interface NextRun {
  readonly id: RunId;
  readonly reason: RunReason;
  readonly requestKey: string | null;
  readonly barren: number;
}

const startRunSql = `
  WITH run AS (
    INSERT INTO runs (id, session_id, no, environment_id, reason, request_key, task_identifier, payload, options, triggered_at_seq)
    SELECT $2, s.id, $3, s.environment_id, $4, $5, s.task_identifier, $6::json, $7::json, $8
    FROM sessions s WHERE s.id = $1
  ), fence AS (
    UPDATE outs SET fence_run = $3, fence_attempt = 0 WHERE session_id = $1
  )
  UPDATE gates SET run_no = $3, live = true, attempt = 0, began = NULL, barren = $9 WHERE session_id = $1`;

/** Triggers the session's next run; answers the gate as it is now. */
export async function startRun(sql: Sql, gate: LockedGate, next: NextRun): Promise<LockedGate> {
  const [session] = await sql.query<{ trigger_config: TriggerConfig; previous_run_id: string | null }>(
    `SELECT s.trigger_config, (SELECT id FROM runs WHERE session_id = s.id AND no = $2) AS previous_run_id
     FROM sessions s WHERE s.id = $1`,
    [gate.sessionId, gate.runNumber],
  );
  if (session === undefined) throw new Error(`session ${gate.sessionId} has a gate but no row`);
  const payload = runPayload(session.trigger_config, gate.sessionId, session.previous_run_id);
  const runNumber = gate.runNumber + 1;
  await sql.query(startRunSql, [
    gate.sessionId,
    next.id,
    runNumber,
    next.reason,
    next.requestKey,
    JSON.stringify(payload),
    JSON.stringify(runOptions(session.trigger_config)),
    gate.next,
    next.barren,
  ]);
  return { ...gate, runNumber, live: true, attempt: 0, began: null, barren: next.barren };
}

// I3: a run ends once. A repeated order finds no unfinished row, changes nothing and says so.
const finishRunSql = `
  WITH ended AS (
    UPDATE runs SET status = $3, output = $4::json, error = $5::json,
      finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE session_id = $1 AND no = $2 AND finished_at IS NULL
    RETURNING no, triggered_at_seq
  ), fence AS (
    UPDATE outs SET fence_attempt = NULL WHERE session_id = $1 AND fence_run = $2 AND EXISTS (SELECT FROM ended)
  )
  SELECT triggered_at_seq FROM ended`;

export type FinishedRun = { readonly triggeredAtSeq: number } | null;

/** Null when the run had ended before, or does not exist. */
export async function finishRun(
  sql: Sql,
  gate: LockedGate,
  end: { number: number; outcome: RunOutcome },
): Promise<FinishedRun> {
  const { outcome } = end;
  const [row] = await sql.query<{ triggered_at_seq: number }>(finishRunSql, [
    gate.sessionId,
    end.number,
    outcome.status,
    outcome.status === 'COMPLETED' ? JSON.stringify(outcome.output) : null,
    outcome.status === 'COMPLETED' || outcome.error === null ? null : JSON.stringify(outcome.error),
  ]);
  return row === undefined ? null : { triggeredAtSeq: row.triggered_at_seq };
}

/** Ends every run that nobody executes any more, because the workflow that did was lost. */
export async function finishLostRuns(sql: Sql, gate: LockedGate): Promise<void> {
  const status: FinalRunStatus = 'SYSTEM_FAILURE';
  const error = { name: 'WorkflowLost', message: 'the workflow that executed this run no longer exists' };
  await sql.query(
    `WITH ended AS (
       UPDATE runs SET status = $2, error = $3::json, finished_at = clock_timestamp(), updated_at = clock_timestamp()
       WHERE session_id = $1 AND finished_at IS NULL
     )
     UPDATE outs SET fence_attempt = NULL WHERE session_id = $1`,
    [gate.sessionId, status, JSON.stringify(error)],
  );
}

/** Greatest seq of a client's record on `in` that no run has consumed; null when there is none. */
export async function readLastClientSeq(sql: Sql, gate: LockedGate): Promise<number | null> {
  const [row] = await sql.query<{ seq: number | null }>(
    `SELECT max(seq) AS seq FROM records WHERE session_id = $1 AND stream = 'in' AND from_client AND seq >= $2`,
    [gate.sessionId, gate.consumed],
  );
  return row?.seq ?? null;
}
