/** close and expire: write-once ends of a session, with the records that tell its run and its readers. */
import type { CloseOrder, OwnedSession, TransitionAnswer } from '../../domain/transition.ts';
import type { Database, Sql } from '../database.ts';
import { completeByEnd } from '../waitpoints/complete.ts';
import { expireIfPast, writeClosedRecord, writeWakeRecord } from './expire-gate.ts';
import { type LockedGate, lockOwnGate, readClock } from './gate-row.ts';
import { viewGate } from './view-gate.ts';

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
      await completeByEnd(sql, gate.sessionId);
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

async function readCurrentRunId(sql: Sql, gate: LockedGate): Promise<string | null> {
  const [row] = await sql.query<{ id: string }>('SELECT id FROM runs WHERE session_id = $1 AND no = $2', [
    gate.sessionId,
    gate.runNumber,
  ]);
  return row?.id ?? null;
}
