/** Records as arrays, one for each column: what both statements that store appends take. */
import type { AppendPlan } from '../../domain/append.ts';
import { type NewRecord, shownAs } from '../../domain/record.ts';
import type { StreamPlace } from '../../domain/stream.ts';
import type { SqlValue } from '../database.ts';
import type { StreamArrivals } from './arrivals.ts';

export type PlannedRecord = NewRecord & { readonly seq: number; readonly partId: string | null };

/** The records of a plan that are stored. A repetition is found by the first of its append's records. */
export const plannedRecords = (
  { appends }: StreamArrivals,
  { outcomes }: Pick<AppendPlan, 'outcomes'>,
): readonly PlannedRecord[] =>
  appends.flatMap(({ append }, order) => {
    const outcome = outcomes[order];
    if (outcome?.kind !== 'stored') return [];
    return append.records.map((record, offset) => ({
      ...record,
      seq: outcome.seq + offset,
      partId: offset === 0 ? append.partId : null,
    }));
  });

/**
 * A record `r` of those arrays as it is inserted, up to its time. Empty text stands for no part id, no headers and no
 * judgement: none is ever a value, and arrays hold no nulls.
 */
export const insertRecordsSql = `
    INSERT INTO records (session_id, stream, seq, part_id, from_client, headers, shown, body, created_at)
    SELECT r.session_id, r.stream, r.seq, nullif(r.part_id, ''), true, nullif(r.headers, '')::json,
      nullif(r.shown, ''), CASE WHEN r.is_hex = 1 THEN decode(r.body, 'hex') ELSE convert_to(r.body, 'UTF8') END`;

interface RecordsOfPlan extends StreamPlace {
  readonly records: readonly PlannedRecord[];
}

/** Session, stream, number of the plan from 1, seq, part id, headers, judgement, whether the body is hexadecimal, body. */
export function recordColumns(plans: readonly RecordsOfPlan[]): readonly SqlValue[] {
  const records = plans.flatMap(({ sessionId, stream, records: ofPlan }, order) =>
    ofPlan.map((record) => ({ ...record, sessionId, stream, planNo: order + 1 })),
  );
  return [
    records.map(({ sessionId }) => sessionId),
    records.map(({ stream }) => stream),
    records.map((record) => record.planNo),
    records.map((record) => record.seq),
    records.map((record) => record.partId ?? ''),
    records.map(({ headers }) => (headers.length === 0 ? '' : JSON.stringify(headers))),
    records.map((record) => shownAs(record) ?? ''),
    records.map(({ body }) => (typeof body === 'string' ? 0 : 1)),
    records.map(({ body }) => (typeof body === 'string' ? body : Buffer.from(body).toString('hex'))),
  ];
}
