/** What completes waitpoints under their stream's lock: records, and the end of the session. Each completes once. */
import type { SessionId } from '../../domain/ids.ts';
import type { Direction } from '../../domain/stream.ts';
import type { Sql } from '../database.ts';

/** Records just stored on one stream; commands, which steer the store, do not count. */
export interface StoredSpan {
  readonly sessionId: SessionId;
  readonly stream: Direction;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

// V7: begun after the lock, so it sees every waitpoint whose registration has committed. One that waits for a seq yet to
// come stays pending, and the flag with it.
const completeSql = `
  WITH span AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS span (session_id, stream, first, last)
  ), done AS (
    UPDATE waitpoints w
    SET state = 'record', record_seq = greatest(w.after_seq + 1, span.first), completed_at = clock_timestamp()
    FROM span
    WHERE w.session_id = ANY(ARRAY[span.session_id]) AND w.stream = span.stream AND w.state = 'pending' AND w.after_seq < span.last
    RETURNING w.session_id
  ), gate AS (
    UPDATE gates g SET waited_for = EXISTS (
      SELECT FROM waitpoints w
      WHERE w.session_id = g.session_id AND w.stream = 'in' AND w.state = 'pending' AND w.after_seq >= span.last)
    FROM span WHERE g.session_id = ANY(ARRAY[span.session_id]) AND span.stream = 'in'
  ), out AS (
    UPDATE outs o SET waited_for = EXISTS (
      SELECT FROM waitpoints w
      WHERE w.session_id = o.session_id AND w.stream = 'out' AND w.state = 'pending' AND w.after_seq >= span.last)
    FROM span WHERE o.session_id = ANY(ARRAY[span.session_id]) AND span.stream = 'out'
  )
  SELECT DISTINCT session_id FROM done`;

/** @returns the sessions of which waitpoints were completed */
export async function completeByRecords(sql: Sql, spans: readonly StoredSpan[]): Promise<ReadonlySet<SessionId>> {
  if (spans.length === 0) return new Set();
  const rows = await sql.query<{ session_id: SessionId }>(completeSql, [
    spans.map(({ sessionId }) => sessionId),
    spans.map(({ stream }) => stream),
    spans.map(({ firstSeq }) => firstSeq),
    spans.map(({ lastSeq }) => lastSeq),
  ]);
  return new Set(rows.map((row) => row.session_id));
}

/** No record of `in` can follow: whoever still waits for one is told so. */
export async function completeByEnd(sql: Sql, sessionId: SessionId): Promise<void> {
  await sql.query(
    `WITH gate AS (UPDATE gates SET waited_for = false WHERE session_id = $1)
     UPDATE waitpoints SET state = 'ended', completed_at = clock_timestamp()
     WHERE session_id = $1 AND stream = 'in' AND state = 'pending'`,
    [sessionId],
  );
}
