/** ensure(n), wake(n): run n was seen dead, so the session gets its next run, once (R3). */
import { maySucceedDeadRun } from '../../domain/gate.ts';
import type { RunId } from '../../domain/ids.ts';
import type { ContinueOrder, TransitionAnswer } from '../../domain/transition.ts';
import type { Database } from '../database.ts';
import { lockOwnGate, readClock } from './gate-row.ts';
import { startRun } from './run-row.ts';
import { viewGate } from './view-gate.ts';

export function continueRun(db: Database, order: ContinueOrder, newRunId: () => RunId): Promise<TransitionAnswer> {
  return db.transaction(async (sql) => {
    const gate = await lockOwnGate(sql, order);
    if (gate === null) return { kind: 'gone' };
    if (!maySucceedDeadRun(gate, order.runNumber, await readClock(sql))) return viewGate(sql, gate, order.scheduled);
    const next = { id: newRunId(), reason: 'continuation', requestKey: null, barren: gate.barren } as const;
    return viewGate(sql, await startRun(sql, gate, next), order.scheduled);
  });
}
