/** end(n): the outcome of run n and, if it left a record unread, its continuation, in one transaction (V5). */
import { decideEnd } from '../../domain/gate.ts';
import type { RunId } from '../../domain/ids.ts';
import type { EndRunOrder, TransitionAnswer } from '../../domain/transition.ts';
import type { Database, Sql } from '../database.ts';
import { type LockedGate, lockOwnGate, readClock } from './gate-row.ts';
import { finishRun, readLastClientSeq, startRun } from './run-row.ts';
import { viewGate } from './view-gate.ts';

export function endRun(db: Database, order: EndRunOrder, newRunId: () => RunId): Promise<TransitionAnswer> {
  return db.transaction(async (sql) => {
    const gate = await lockOwnGate(sql, order);
    if (gate === null) return { kind: 'gone' };
    return viewGate(sql, await settle(sql, { gate, order, runId: newRunId() }), order.scheduled);
  });
}

async function settle(sql: Sql, end: { gate: LockedGate; order: EndRunOrder; runId: RunId }): Promise<LockedGate> {
  const { gate, order } = end;
  const finished = await finishRun(sql, gate, { number: order.runNumber, outcome: order.outcome });
  if (finished === null) return gate;
  const decision = decideEnd(gate, {
    runNumber: order.runNumber,
    status: order.outcome.status,
    triggeredAtSeq: finished.triggeredAtSeq,
    lastClientSeq: await readLastClientSeq(sql, gate),
    now: await readClock(sql),
  });
  switch (decision.kind) {
    case 'stale':
      return gate;
    case 'idle':
      await sql.query('UPDATE gates SET live = false WHERE session_id = $1', [gate.sessionId]);
      return { ...gate, live: false };
    case 'continue':
      return startRun(sql, gate, { id: end.runId, reason: 'continuation', requestKey: null, barren: decision.barren });
  }
}
