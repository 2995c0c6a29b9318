/** cursor: a task says how far it has consumed `in`. Forward only, by whoever may write for the session (V8, V14). */
import { holdsFence } from '../../domain/attempt.ts';
import type { SessionId } from '../../domain/ids.ts';
import type { CursorOrder } from '../../domain/transition.ts';
import type { Database, Sql } from '../database.ts';
import { consumeIn } from '../streams/consume-in.ts';
import { type LockedGate, lockGate } from './gate-row.ts';

/** The next seq that is wanted now. Null: no such run in this environment. */
export async function commitCursor(db: Database, order: CursorOrder): Promise<number | 'refused' | null> {
  const [run] = await db.query<{ session_id: SessionId; no: number }>(
    'SELECT session_id, no FROM runs WHERE id = $1 AND environment_id = $2',
    [order.runId, order.environmentId],
  );
  if (run === undefined) return null;
  return db.transaction(async (sql) => {
    const gate = await lockGate(sql, run.session_id);
    if (gate === null) return null;
    if (!(await mayCommit(sql, { gate, runNumber: run.no, order }))) return 'refused';
    // What is not there yet cannot have been consumed.
    const consumed = Math.min(order.seq + 1, gate.next);
    await consumeIn(sql, { sessionId: gate.sessionId, consumed });
    return Math.max(gate.consumed, consumed);
  });
}

interface Commit {
  readonly gate: LockedGate;
  readonly runNumber: number;
  readonly order: CursorOrder;
}

/** A caller that no claim names speaks for the run that is current and live. The fence moves under the gate's lock alone. */
async function mayCommit(sql: Sql, { gate, runNumber, order }: Commit): Promise<boolean> {
  if (order.attempt === null) return gate.runNumber === runNumber && gate.live;
  const [out] = await sql.query<{ fence_run: number; fence_attempt: number | null }>(
    'SELECT fence_run, fence_attempt FROM outs WHERE session_id = $1',
    [gate.sessionId],
  );
  const fence = { runNumber: out?.fence_run ?? 0, attempt: out?.fence_attempt ?? null };
  return order.attempt.runId === order.runId && holdsFence(fence, order.attempt);
}
