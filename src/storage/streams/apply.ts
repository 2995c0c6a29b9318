/** What a batch of appends was planned to do, done in one statement. */
import type { AppendPlan } from '../../domain/append.ts';
import type { SessionId } from '../../domain/ids.ts';
import { type NewRecord, shownAs } from '../../domain/record.ts';
import { kindOf, type StreamName } from '../../domain/stream.ts';
import type { TransactionSql } from '../database.ts';
import { keyOf } from './arrivals.ts';

export type PlannedRecord = NewRecord & { readonly seq: number; readonly partId: string | null };

export interface StreamPlan extends Omit<AppendPlan, 'outcomes'> {
  readonly sessionId: SessionId;
  readonly stream: StreamName;
  readonly records: readonly PlannedRecord[];
}

// Zero stands for no wake, empty text for no part id, no headers and no judgement, -1 for a flag that stays: none is ever a value, and
// arrays hold no nulls.
const applySql = `
  WITH gate AS (
    UPDATE gates g SET next = plan.next, wake_after = coalesce(nullif(plan.wake_after, 0), g.wake_after)
    FROM unnest($1::text[], $2::bigint[], $3::int[]) AS plan (session_id, next, wake_after)
    WHERE g.session_id = plan.session_id
  ), out AS (
    UPDATE outs o SET next = plan.next, trimmed_before = plan.trimmed_before,
      settled = CASE WHEN plan.settled < 0 THEN o.settled ELSE plan.settled = 1 END
    FROM unnest($4::text[], $5::bigint[], $6::bigint[], $7::int[]) AS plan (session_id, next, trimmed_before, settled)
    WHERE o.session_id = plan.session_id
  ), side AS (
    UPDATE side_streams s SET next = plan.next, trimmed_before = plan.trimmed_before,
      settled = CASE WHEN plan.settled < 0 THEN s.settled ELSE plan.settled = 1 END
    FROM unnest($8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::int[])
      AS plan (session_id, stream, next, trimmed_before, settled)
    WHERE s.session_id = plan.session_id AND s.stream = plan.stream
  ), place AS MATERIALIZED (
    -- The clock may go back; the time of a stream's records does not. The order names the index: without statistics,
    -- a look for the seq before took the index of part ids and read the whole stream, 0.5 ms for each record.
    SELECT plan.no, plan.session_id, plan.stream,
      greatest($15::timestamptz(3), (SELECT last.created_at FROM records last
        WHERE last.session_id = plan.session_id AND last.stream = plan.stream ORDER BY last.seq DESC LIMIT 1)) AS at
    FROM unnest($13::text[], $14::text[]) WITH ORDINALITY AS plan (session_id, stream, no)
  ), stored AS (
    INSERT INTO records (session_id, stream, seq, part_id, from_client, headers, shown, body, created_at)
    SELECT place.session_id, place.stream, r.seq, nullif(r.part_id, ''), true, nullif(r.headers, '')::json,
      nullif(r.shown, ''),
      CASE WHEN r.is_hex = 1 THEN decode(r.body, 'hex') ELSE convert_to(r.body, 'UTF8') END, place.at
    FROM unnest($16::int[], $17::bigint[], $18::text[], $19::text[], $20::text[], $21::int[], $22::text[])
      AS r (plan_no, seq, part_id, headers, shown, is_hex, body)
    JOIN place ON place.no = r.plan_no
  )
  SELECT session_id, stream, at FROM place`;

type PlaceRow = { session_id: string; stream: string; at: Date };

export interface Application {
  readonly plans: readonly StreamPlan[];
  readonly now: Date;
  /** Nothing comes after it in its transaction. */
  readonly isLast: boolean;
}

/** Times of what was stored, in milliseconds, by stream. */
export async function applyPlans(
  sql: TransactionSql,
  { plans, now, isLast }: Application,
): Promise<ReadonlyMap<string, number>> {
  if (plans.length === 0) return new Map();
  const ofKind = (kind: string) => plans.filter(({ stream }) => kindOf(stream) === kind);
  const [ins, outs, sides] = [ofKind('in'), ofKind('out'), ofKind('side')];
  const values = [
    ins.map((plan) => plan.sessionId),
    ins.map((plan) => plan.next),
    ins.map((plan) => plan.wakeAfter ?? 0),
    outs.map((plan) => plan.sessionId),
    ...placeColumns(outs),
    sides.map((plan) => plan.sessionId),
    sides.map((plan) => plan.stream),
    ...placeColumns(sides),
    plans.map((plan) => plan.sessionId),
    plans.map((plan) => plan.stream),
    now,
    ...recordColumns(plans),
  ];
  const statement = { text: applySql, values };
  const rows = isLast ? await sql.last<PlaceRow>(statement) : await sql.query<PlaceRow>(applySql, values);
  return new Map(rows.map((row) => [keyOf({ sessionId: row.session_id, stream: row.stream }), row.at.getTime()]));
}

const placeColumns = (plans: readonly StreamPlan[]) => [
  plans.map((plan) => plan.next),
  plans.map((plan) => plan.trimmedBefore),
  plans.map((plan) => (plan.settled === null ? -1 : Number(plan.settled))),
];

function recordColumns(plans: readonly StreamPlan[]) {
  const records = plans.flatMap((plan, order) => plan.records.map((record) => ({ ...record, planNo: order + 1 })));
  return [
    records.map((record) => record.planNo),
    records.map((record) => record.seq),
    records.map((record) => record.partId ?? ''),
    records.map(({ headers }) => (headers.length === 0 ? '' : JSON.stringify(headers))),
    records.map((record) => shownAs(record) ?? ''),
    records.map(({ body }) => (typeof body === 'string' ? 0 : 1)),
    records.map(({ body }) => (typeof body === 'string' ? body : Buffer.from(body).toString('hex'))),
  ];
}
