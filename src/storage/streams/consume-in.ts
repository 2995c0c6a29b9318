/** The cursor of `in`: under the gate's lock, forward only. Whoever consumes has met its records, so nothing is barren. */
import type { SessionId } from '../../domain/ids.ts';
import type { Sql } from '../database.ts';

export interface Consumption {
  readonly sessionId: SessionId;
  /** Next seq that is wanted; null when nothing was consumed. */
  readonly consumed: number | null;
}

/** A statement of its own: the one that stores may change the same gate, and a row is changed once by a statement. */
export async function consumeIn(sql: Sql, { sessionId, consumed }: Consumption): Promise<void> {
  if (consumed === null) return;
  await sql.query('UPDATE gates SET consumed = greatest(consumed, $2), barren = 0 WHERE session_id = $1', [
    sessionId,
    consumed,
  ]);
}
