/** What a batch of appends was planned to do, done in one statement. */
import type { SessionId } from '../../domain/ids.ts';
import { kindOf, type StreamName } from '../../domain/stream.ts';
import type { RecordToAppend } from '../../sessions/ports.ts';
import type { Sql } from '../database.ts';

export type PlannedRecord = RecordToAppend & { readonly seq: number };

export interface StreamPlan {
  readonly sessionId: SessionId;
  readonly stream: StreamName;
  readonly next: number;
  readonly wakeAfter: number | null;
  readonly records: readonly PlannedRecord[];
}

// Zero stands for no wake and empty text for no part id: neither is ever a value, and arrays hold no nulls.
const applySql = `
  WITH gate AS (
    UPDATE gates g SET next = plan.next, wake_after = coalesce(nullif(plan.wake_after, 0), g.wake_after)
    FROM unnest($1::text[], $2::bigint[], $3::int[]) AS plan (session_id, next, wake_after)
    WHERE g.session_id = plan.session_id
  ), out AS (
    UPDATE outs o SET next = plan.next, settled = false
    FROM unnest($4::text[], $5::bigint[]) AS plan (session_id, next) WHERE o.session_id = plan.session_id
  ), side AS (
    UPDATE side_streams s SET next = plan.next, settled = false
    FROM unnest($6::text[], $7::text[], $8::bigint[]) AS plan (session_id, stream, next)
    WHERE s.session_id = plan.session_id AND s.stream = plan.stream
  )
  INSERT INTO records (session_id, stream, seq, part_id, from_client, body, created_at)
  SELECT r.session_id, r.stream, r.seq, nullif(r.part_id, ''), true, convert_to(r.body, 'UTF8'),
    -- The clock may go back; the time of a stream's records does not. The order names the index: without statistics,
    -- a look for the seq before took the index of part ids and read the whole stream, 0.5 ms for each record.
    greatest($14::timestamptz, (SELECT last.created_at FROM records last
      WHERE last.session_id = r.session_id AND last.stream = r.stream ORDER BY last.seq DESC LIMIT 1))
  FROM unnest($9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[])
    AS r (session_id, stream, seq, part_id, body)
  RETURNING session_id, stream, seq, created_at`;

type StoredRow = { session_id: string; stream: string; seq: number; created_at: Date };

/** Times of the stored records in milliseconds, by `<session>/<stream>/<seq>`. */
export async function applyPlans(
  sql: Sql,
  plans: readonly StreamPlan[],
  now: Date,
): Promise<ReadonlyMap<string, number>> {
  if (plans.length === 0) return new Map();
  const ofKind = (kind: string) => plans.filter(({ stream }) => kindOf(stream) === kind);
  const [ins, outs, sides] = [ofKind('in'), ofKind('out'), ofKind('side')];
  const records = plans.flatMap((plan) => plan.records);
  const rows = await sql.query<StoredRow>(applySql, [
    ins.map((plan) => plan.sessionId),
    ins.map((plan) => plan.next),
    ins.map((plan) => plan.wakeAfter ?? 0),
    outs.map((plan) => plan.sessionId),
    outs.map((plan) => plan.next),
    sides.map((plan) => plan.sessionId),
    sides.map((plan) => plan.stream),
    sides.map((plan) => plan.next),
    records.map((record) => record.sessionId),
    records.map((record) => record.stream),
    records.map((record) => record.seq),
    records.map((record) => record.partId ?? ''),
    records.map((record) => record.body),
    now,
  ]);
  return new Map(rows.map((row) => [`${row.session_id}/${row.stream}/${row.seq}`, row.created_at.getTime()]));
}
