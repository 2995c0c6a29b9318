/** The row of a waitpoint, whether its session has a row already or not. */
import type { SessionId } from '../../domain/ids.ts';
import { timeoutAt, type WaitRequest } from '../../domain/waitpoint.ts';
import type { Sql } from '../database.ts';

/** Either of them: once the session's row has been seen it is named by that. */
export type WaitPlace =
  | { readonly sessionId: SessionId; readonly workflowId: null }
  | { readonly sessionId: null; readonly workflowId: string };

export interface FirstState {
  readonly now: Date;
  readonly state: string;
  /** Seq of the record that completes it at once. */
  readonly first: number | null;
}

const insertSql = `
  WITH gate AS (
    UPDATE gates SET waited_for = true WHERE session_id = $3 AND $4 = 'in' AND $7 = 'pending'
  ), out AS (
    UPDATE outs SET waited_for = true WHERE session_id = $3 AND $4 = 'out' AND $7 = 'pending'
  )
  INSERT INTO waitpoints (id, environment_id, session_id, stream, run_id, after_seq, state, record_seq, timeout_at,
    idempotency_digest, idempotency_expires_at, tags, awaited_workflow_id, completed_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
    CASE WHEN $7 <> 'pending' THEN clock_timestamp() END)`;

/** Nobody else may have its idempotency key by now: whoever had it has outlived it, and loses it. */
export async function insertWaitpoint(
  sql: Sql,
  order: WaitRequest & { readonly place: WaitPlace },
  { now, state, first }: FirstState,
): Promise<void> {
  const { idempotency, place } = order;
  if (idempotency !== null) {
    await sql.query(
      `UPDATE waitpoints SET idempotency_digest = NULL
       WHERE ${place.sessionId === null ? 'awaited_workflow_id' : 'session_id'} = $1 AND stream = $2
         AND idempotency_digest = $3`,
      [place.sessionId ?? place.workflowId, order.stream, idempotency.digest],
    );
  }
  const ttlMs = idempotency?.ttlMs ?? null;
  await sql.query(insertSql, [
    order.id,
    order.environmentId,
    place.sessionId,
    order.stream,
    order.run.id,
    order.after,
    state,
    first,
    timeoutAt(order.timeout, now),
    idempotency?.digest ?? null,
    ttlMs === null ? null : new Date(now.getTime() + ttlMs),
    order.tags,
    place.workflowId,
  ]);
}
