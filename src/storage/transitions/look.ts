/** The gate as it is: for a workflow that was poked, or that begins anew after continue-as-new. */
import type { OwnedSession, TransitionAnswer } from '../../domain/transition.ts';
import type { Database } from '../database.ts';
import { lockOwnGate } from './gate-row.ts';
import { viewGate } from './view-gate.ts';

export function lookAtGate(db: Database, order: OwnedSession): Promise<TransitionAnswer> {
  return db.transaction(async (sql) => {
    const gate = await lockOwnGate(sql, order);
    return gate === null ? { kind: 'gone' } : viewGate(sql, gate, order.scheduled);
  });
}

/** Both under the gate, which every writer of the tags takes. */
export function lookAtLabels(db: Database, order: OwnedSession): Promise<TransitionAnswer> {
  return db.transaction(async (sql) => {
    const gate = await lockOwnGate(sql, order);
    if (gate === null) return { kind: 'gone' };
    const [row] = await sql.query<{ tags: readonly string[] }>('SELECT tags FROM sessions WHERE id = $1', [
      gate.sessionId,
    ]);
    return { ...(await viewGate(sql, gate, order.scheduled)), tags: row?.tags ?? [] };
  });
}
