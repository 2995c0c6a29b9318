/** Where streams end, under their locks: of `in` that is the gate, the others have rows of their own. */
import type { Fence } from '../../domain/attempt.ts';
import type { SessionId } from '../../domain/ids.ts';
import { kindOf } from '../../domain/stream.ts';
import type { Sql } from '../database.ts';
import type { LockedGate } from '../transitions/gate-row.ts';
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

/** An expiry writes to `out`, and the fence stands there: the row is locked for both. */
export async function lockPlaces(
  sql: Sql,
  streams: readonly StreamArrivals[],
  gates: ReadonlyMap<SessionId, LockedGate>,
): Promise<LockedPlaces> {
  const mayExpire = [...gates.values()].filter(({ expiresAt, expiredAt }) => expiresAt !== null && expiredAt === null);
  const writing = streams.filter(
    ({ stream, appends }) => stream === 'out' || appends.some(({ append }) => append.attempt !== null),
  );
  const outs = [...new Set([...mayExpire, ...writing].map(({ sessionId }) => sessionId))];
  const sides = streams.filter(({ stream }) => kindOf(stream) === 'side');
  const places = new Map<string, Place>();
  const fences = new Map<SessionId, Fence>();
  if (outs.length > 0) {
    for (const row of await sql.query<OutRow>(lockOutsSql, [outs])) {
      places.set(keyOf({ sessionId: row.session_id, stream: 'out' }), placeOf(row));
      fences.set(row.session_id, { runNumber: row.fence_run, attempt: row.fence_attempt });
    }
  }
  if (sides.length > 0) {
    const keys = [sides.map(({ sessionId }) => sessionId), sides.map(({ stream }) => stream)];
    await sql.query(addSidesSql, keys);
    for (const row of await sql.query<SideRow>(lockSidesSql, keys)) {
      places.set(keyOf({ sessionId: row.session_id, stream: row.stream }), placeOf(row));
    }
  }
  return { places, fences };
}

/** `in` is never trimmed. */
export function placeAmong(
  { places }: LockedPlaces,
  gates: ReadonlyMap<SessionId, LockedGate>,
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
  FROM side_streams s JOIN unnest($1::text[], $2::text[]) AS side (session_id, stream) USING (session_id, stream)
  ORDER BY s.session_id, s.stream
  FOR NO KEY UPDATE OF s`;
