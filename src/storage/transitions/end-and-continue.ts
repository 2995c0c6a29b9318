/** endAndContinue(n): run n hands the session over, while it is still current. It stays unfinished until its own end. */
import { maySucceedCurrentRun } from '../../domain/gate.ts';
import type { RunId } from '../../domain/ids.ts';
import type { EndAndContinueOrder, TransitionAnswer } from '../../domain/transition.ts';
import type { Database } from '../database.ts';
import { lockOwnGate, readClock } from './gate-row.ts';
import { startRun } from './run-row.ts';
import { viewGate } from './view-gate.ts';

// Protocol section 7.3: an upgrade drops the pinned deployment, or moves it; `lockToVersion` stays.
const repinSql = `
  UPDATE sessions SET updated_at = clock_timestamp(), trigger_config = (CASE
    WHEN $2::text IS NULL THEN trigger_config::jsonb - 'externalDeploymentId'
    ELSE trigger_config::jsonb || jsonb_build_object('externalDeploymentId', $2::text) END)::json
  WHERE id = $1`;

export function endAndContinue(
  db: Database,
  order: EndAndContinueOrder,
  newRunId: () => RunId,
): Promise<TransitionAnswer> {
  return db.transaction(async (sql) => {
    const gate = await lockOwnGate(sql, order);
    if (gate === null) return { kind: 'gone' };
    if (!maySucceedCurrentRun(gate, order.runNumber, await readClock(sql))) return viewGate(sql, gate, order.scheduled);
    if (order.reason === 'upgrade') await sql.query(repinSql, [gate.sessionId, order.externalDeploymentId]);
    const next = { id: newRunId(), reason: order.reason, requestKey: order.requestKey, barren: gate.barren };
    return viewGate(sql, await startRun(sql, gate, next), order.scheduled);
  });
}
