/** Where streams end, under their locks: of `in` that is the gate, the others have rows of their own. */
import type { Fence } from '../../domain/attempt.ts';
import type { SessionId } from '../../domain/ids.ts';
import { kindOf } from '../../domain/stream.ts';
import type { Sql, SqlRow, Statement } from '../database.ts';
import type { HeldGate } from '../transitions/gate-row.ts';
import { keyOf, type StreamArrivals } from './arrivals.ts';

export interface Place {
  readonly next: number;
  readonly trimmedBefore: number;
  /** Somebody may wait for its next record. */
  readonly waitedFor: boolean;
}

export interface LockedPlaces {
  /** By stream. */
  readonly places: ReadonlyMap<string, Place>;
  /** Of the sessions that an attempt writes for. */
  readonly fences: ReadonlyMap<SessionId, Fence>;
}

/** Sessions whose row of `out` an append needs: to write there, or because the fence stands there. */
export const outsNeeded = (streams: readonly StreamArrivals[]): readonly SessionId[] => [
  ...new Set(
    streams
      .filter(({ stream, appends }) => stream === 'out' || appends.some(({ append }) => append.attempt !== null))
      .map(({ sessionId }) => sessionId),
  ),
];

/** @param wait as of the gates */
export const lockOutsStatement = (sessionIds: readonly SessionId[], wait: boolean): Statement => ({
  text: wait ? lockOutsSql : `${lockOutsSql} SKIP LOCKED`,
  values: [sessionIds],
});

/** @param rows of that statement */
export function outsOf(rows: readonly SqlRow[]): LockedPlaces {
  const outs = rows as readonly OutRow[];
  return {
    places: new Map(outs.map((row) => [keyOf({ sessionId: row.session_id, stream: 'out' }), placeOf(row)])),
    fences: new Map(outs.map((row) => [row.session_id, { runNumber: row.fence_run, attempt: row.fence_attempt }])),
  };
}

/** Side streams among them, made if they do not exist. */
export async function lockSides(sql: Sql, streams: readonly StreamArrivals[]): Promise<ReadonlyMap<string, Place>> {
  const sides = streams.filter(({ stream }) => kindOf(stream) === 'side');
  if (sides.length === 0) return new Map();
  const keys = [sides.map(({ sessionId }) => sessionId), sides.map(({ stream }) => stream)];
  await sql.query(addSidesSql, keys);
  const rows = await sql.query<SideRow>(lockSidesSql, keys);
  return new Map(rows.map((row) => [keyOf({ sessionId: row.session_id, stream: row.stream }), placeOf(row)]));
}

/** `in` is never trimmed. */
export function placeAmong(
  { places }: LockedPlaces,
  gates: ReadonlyMap<SessionId, HeldGate>,
  { sessionId, stream }: StreamArrivals,
): Place {
  const gate = gates.get(sessionId);
  const place =
    stream === 'in' && gate !== undefined ? { next: gate.next, trimmedBefore: 0, waitedFor: gate.waitedFor } : null;
  const found = place ?? places.get(keyOf({ sessionId, stream }));
  if (found === undefined) throw new Error(`${stream} of ${sessionId} is not held`);
  return found;
}

type PlaceRow = { next: number; trimmed_before: number; waited_for: boolean };
type OutRow = PlaceRow & { session_id: SessionId; fence_run: number; fence_attempt: number | null };
type SideRow = PlaceRow & { session_id: string; stream: string };

const placeOf = (row: PlaceRow): Place => ({
  next: row.next,
  trimmedBefore: row.trimmed_before,
  waitedFor: row.waited_for,
});

const lockOutsSql = `
  SELECT session_id, next, trimmed_before, waited_for, fence_run, fence_attempt FROM outs
  WHERE session_id = ANY($1) ORDER BY session_id FOR NO KEY UPDATE`;

const addSidesSql = `
  INSERT INTO side_streams (session_id, stream)
  SELECT session_id, stream FROM unnest($1::text[], $2::text[]) AS side (session_id, stream) ORDER BY 1, 2
  ON CONFLICT DO NOTHING`;

const lockSidesSql = `
  SELECT s.session_id, s.stream, s.next, s.trimmed_before, false AS waited_for
  FROM unnest($1::text[], $2::text[]) AS side (session_id, stream)
  JOIN side_streams s ON s.session_id = ANY(ARRAY[side.session_id]) AND s.stream = side.stream
  ORDER BY side.session_id, side.stream
  FOR NO KEY UPDATE OF s`;
