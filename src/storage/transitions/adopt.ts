/** A workflow meets a row that exists: its own, a younger owner's, or one whose workflow was lost. */
import { decideOwner, hasUnread, isOpen } from '../../domain/gate.ts';
import type { RunId } from '../../domain/ids.ts';
import type { OwnedSession, TransitionAnswer } from '../../domain/transition.ts';
import type { Database, Sql } from '../database.ts';
import { type LockedGate, lockGate, readClock } from './gate-row.ts';
import { finishLostRuns, readLastClientSeq, startRun } from './run-row.ts';
import { viewGate } from './view-gate.ts';

export function adoptSession(db: Database, order: OwnedSession, newRunId: () => RunId): Promise<TransitionAnswer> {
  return db.transaction(async (sql) => {
    const gate = await lockGate(sql, order.sessionId);
    if (gate === null) return { kind: 'gone' };
    switch (decideOwner(gate, order.owner)) {
      case 'gone':
        return { kind: 'gone' };
      case 'mine':
        return viewGate(sql, gate, order.scheduled);
      case 'take-over':
        return viewGate(sql, await takeOver(sql, { gate, order, runId: newRunId() }), order.scheduled);
    }
  });
}

/** The old workflow was lost, with whatever it was executing (V10): its runs end, and unread records get a new one. */
async function takeOver(sql: Sql, take: { gate: LockedGate; order: OwnedSession; runId: RunId }): Promise<LockedGate> {
  const { gate, order } = take;
  await finishLostRuns(sql, gate);
  await sql.query('UPDATE gates SET owner = $2, owner_started_at = $3, live = false WHERE session_id = $1', [
    gate.sessionId,
    order.owner.id,
    new Date(order.owner.startedAtMs),
  ]);
  const owned: LockedGate = { ...gate, owner: order.owner.id, ownerStartedAtMs: order.owner.startedAtMs, live: false };
  const unread = hasUnread(gate, await readLastClientSeq(sql, gate), true);
  if (!gate.live || !unread || !isOpen(gate, await readClock(sql))) return owned;
  return startRun(sql, owned, { id: take.runId, reason: 'continuation', requestKey: null, barren: gate.barren + 1 });
}
