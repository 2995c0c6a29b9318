/** close and expire: write-once ends of a session, with the records that tell its run and its readers. */
import { stateOf } from '../../domain/gate.ts';
import { closeWakeId, closeWakeText, recordEnvelope, sessionClosedHeaders } from '../../domain/record.ts';
import { sessionKey } from '../../domain/session.ts';
import type { CloseOrder, OwnedSession, TransitionAnswer } from '../../domain/transition.ts';
import type { Database, Sql } from '../database.ts';
import { type LockedGate, lockOwnGate, readClock, viewGate } from './gate-row.ts';

export function closeSession(db: Database, order: CloseOrder): Promise<TransitionAnswer> {
  return db.transaction(async (sql) => {
    const gate = await lockOwnGate(sql, order);
    if (gate === null) return { kind: 'gone' };
    if (gate.closedAt !== null) return viewGate(sql, gate, order.scheduled);
    const now = await readClock(sql);
    await sql.query('UPDATE gates SET closed_at = $2, closed_reason = $3 WHERE session_id = $1', [
      gate.sessionId,
      now,
      order.reason,
    ]);
    await sql.query('UPDATE sessions SET updated_at = $2 WHERE id = $1', [gate.sessionId, now]);
    const byCurrentRun = order.callingRunId !== null && order.callingRunId === (await readCurrentRunId(sql, gate));
    if (gate.expiredAt === null) {
      if (gate.live && !byCurrentRun) await writeWakeRecord(sql, gate);
      // A run that closes its own session has written this record itself.
      if (order.callingRunId === null) await writeClosedRecord(sql, gate, order.reason);
    }
    return viewGate(sql, { ...gate, closedAt: now, closedReason: order.reason }, order.scheduled);
  });
}

export function expireSession(db: Database, order: OwnedSession): Promise<TransitionAnswer> {
  return db.transaction(async (sql) => {
    const gate = await lockOwnGate(sql, order);
    if (gate === null) return { kind: 'gone' };
    return viewGate(sql, await expireIfPast(sql, gate, await readClock(sql)), order.scheduled);
  });
}

/**
 * Makes an expiry that the clock shows final, so that no later clock and no later `expiresAt` takes back
 * what one caller was told (V11). Whoever notices first, workflow or request, writes flag and records at once.
 */
export async function expireIfPast(sql: Sql, gate: LockedGate, now: Date): Promise<LockedGate> {
  if (gate.expiredAt !== null || stateOf(gate, now) !== 'expired') return gate;
  await sql.query('UPDATE gates SET expired_at = $2 WHERE session_id = $1', [gate.sessionId, now]);
  if (gate.live) await writeWakeRecord(sql, gate);
  await writeClosedRecord(sql, gate, 'expired');
  return { ...gate, expiredAt: now };
}

async function readCurrentRunId(sql: Sql, gate: LockedGate): Promise<string | null> {
  const [row] = await sql.query<{ id: string }>('SELECT id FROM runs WHERE session_id = $1 AND no = $2', [
    gate.sessionId,
    gate.runNumber,
  ]);
  return row?.id ?? null;
}

/** I2: its seq is assigned and stored in one statement under the gate's lock, so it has no gap and never moves. */
async function writeWakeRecord(sql: Sql, gate: LockedGate): Promise<void> {
  const text = closeWakeText(sessionKey({ id: gate.sessionId, externalId: gate.externalId }));
  await sql.query(
    `WITH assigned AS (UPDATE gates SET next = next + 1 WHERE session_id = $1 RETURNING next - 1 AS seq)
     INSERT INTO records (session_id, stream, seq, from_client, body)
     SELECT $1, 'in', seq, false, $2 FROM assigned`,
    // No part id: a session ends once, and a client's record may bear any name.
    [gate.sessionId, Buffer.from(recordEnvelope(text, closeWakeId))],
  );
}

async function writeClosedRecord(sql: Sql, gate: LockedGate, reason: string | null): Promise<void> {
  await sql.query(
    `WITH assigned AS (UPDATE outs SET next = next + 1, settled = true WHERE session_id = $1 RETURNING next - 1 AS seq)
     INSERT INTO records (session_id, stream, seq, from_client, headers, body)
     SELECT $1, 'out', seq, false, $2::json, $3 FROM assigned`,
    [gate.sessionId, JSON.stringify(sessionClosedHeaders(reason)), Buffer.alloc(0)],
  );
}
