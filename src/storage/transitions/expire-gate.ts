/** The clock's own end of a session, and the records by which any end tells its run and its readers. */
import { stateOf } from '../../domain/gate.ts';
import { closeWakeId, closeWakeText, recordEnvelope, sessionClosedHeaders } from '../../domain/record.ts';
import { sessionKey } from '../../domain/session.ts';
import type { Sql } from '../database.ts';
import { completeByEnd, completeByRecords, type StoredSpan } from '../waitpoints/complete.ts';
import type { LockedGate } from './gate-row.ts';

/**
 * Makes an expiry that the clock shows final, so that no later clock and no later `expiresAt` takes back
 * what one caller was told (V11). Whoever notices first, workflow or request, writes flag and records at once.
 */
export async function expireIfPast(sql: Sql, gate: LockedGate, now: Date): Promise<LockedGate> {
  if (gate.expiredAt !== null || stateOf(gate, now) !== 'expired') return gate;
  await sql.query('UPDATE gates SET expired_at = $2 WHERE session_id = $1', [gate.sessionId, now]);
  if (gate.live) await writeWakeRecord(sql, gate);
  await completeByEnd(sql, gate.sessionId);
  await writeClosedRecord(sql, gate, 'expired');
  return { ...gate, expiredAt: now };
}

/** I2: its seq is assigned and stored in one statement under the gate's lock, so it has no gap and never moves. */
export async function writeWakeRecord(sql: Sql, gate: LockedGate): Promise<void> {
  const text = closeWakeText(sessionKey({ id: gate.sessionId, externalId: gate.externalId }));
  const stored = await sql.query<{ seq: number }>(
    `WITH assigned AS (UPDATE gates SET next = next + 1 WHERE session_id = $1 RETURNING next - 1 AS seq)
     INSERT INTO records (session_id, stream, seq, from_client, shown, body)
     SELECT $1, 'in', seq, false, 'envelope', $2 FROM assigned RETURNING seq`,
    // No part id: a session ends once, and a client's record may bear any name.
    [gate.sessionId, Buffer.from(recordEnvelope(text, closeWakeId))],
  );
  await completeByRecords(
    sql,
    stored.map(({ seq }) => spanAt(gate, 'in', seq)),
  );
}

export async function writeClosedRecord(sql: Sql, gate: LockedGate, reason: string | null): Promise<void> {
  const stored = await sql.query<{ seq: number }>(
    `WITH assigned AS (UPDATE outs SET next = next + 1, settled = true WHERE session_id = $1 RETURNING next - 1 AS seq)
     INSERT INTO records (session_id, stream, seq, from_client, headers, shown, body)
     SELECT $1, 'out', seq, false, $2::json, 'blank', $3 FROM assigned RETURNING seq`,
    [gate.sessionId, JSON.stringify(sessionClosedHeaders(reason)), Buffer.alloc(0)],
  );
  await completeByRecords(
    sql,
    stored.map(({ seq }) => spanAt(gate, 'out', seq)),
  );
}

const spanAt = ({ sessionId }: LockedGate, stream: 'in' | 'out', seq: number): StoredSpan => ({
  sessionId,
  stream,
  firstSeq: seq,
  lastSeq: seq,
});
