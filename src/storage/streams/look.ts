/** What an append must know beside its place: the clock, and whether it was stored before. */
import type { Append } from '../../sessions/ports.ts';
import type { SqlRow, Statement } from '../database.ts';
import { keyOf, type StreamArrivals } from './arrivals.ts';

/** The first record of an append that was stored before. */
export interface FirstStored {
  readonly seq: number;
  readonly atMs: number;
}

export interface Look {
  readonly now: Date;
  /** By stream, then by part id. */
  readonly firstOfPart: ReadonlyMap<string, ReadonlyMap<string, FirstStored>>;
}

/**
 * The record `r` that holds the part id of `part`: the first part id at or after the wanted one, which only the index of
 * part ids has in that order. Asked for equality and before the first ANALYZE, the planner took the primary key once the
 * index of part ids had grown a level more, at 6,000 records, and read the whole stream for each part id. So a look for
 * 64 of them took 14 ms instead of 0.1 (`npm run bench append`, first rounds with 64 in flight).
 */
export const joinRecordOfPartSql = `
    CROSS JOIN LATERAL (
      SELECT session_id, stream, part_id, seq, created_at FROM records
      WHERE (session_id, stream, part_id) >= (part.session_id, part.stream, part.part_id)
      ORDER BY session_id, stream, part_id LIMIT 1
    ) r
    WHERE r.session_id = part.session_id AND r.stream = part.stream AND r.part_id = part.part_id`;

/** One statement, begun after the gates were had (R2). */
export const lookSql = `
  SELECT clock.now, found.session_id, found.stream, found.part_id, found.seq, found.created_at
  FROM (SELECT clock_timestamp() AS now) clock LEFT JOIN (
    SELECT part.session_id, part.stream, part.part_id, r.seq, r.created_at
    FROM unnest($1::text[], $2::text[], $3::text[]) AS part (session_id, stream, part_id)${joinRecordOfPartSql}
  ) found ON true`;

type FoundRow = {
  now: Date;
  session_id: string | null;
  stream: string;
  part_id: string;
  seq: number;
  created_at: Date;
};

export function lookStatement(streams: readonly StreamArrivals[]): Statement {
  const parts = streams.flatMap(({ appends }) => appends.flatMap(({ append }) => partOf(append)));
  return {
    text: lookSql,
    values: [parts.map((part) => part.sessionId), parts.map((part) => part.stream), parts.map((part) => part.partId)],
  };
}

/** @param found the rows of that statement */
export function lookOf(found: readonly SqlRow[]): Look {
  const rows = found as readonly FoundRow[];
  const now = rows[0]?.now;
  if (now === undefined) throw new Error('the database returned no clock');
  const firstOfPart = new Map<string, Map<string, FirstStored>>();
  for (const { session_id: sessionId, stream, part_id: partId, seq, created_at: at } of rows) {
    if (sessionId === null) continue;
    const key = keyOf({ sessionId, stream });
    const ofStream = firstOfPart.get(key) ?? new Map<string, FirstStored>();
    firstOfPart.set(key, ofStream.set(partId, { seq, atMs: at.getTime() }));
  }
  return { now, firstOfPart };
}

const partOf = ({ sessionId, stream, partId }: Append) => (partId === null ? [] : [{ sessionId, stream, partId }]);
