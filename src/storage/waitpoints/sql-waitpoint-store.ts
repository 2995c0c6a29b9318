/** Waitpoints over one database. */
import type { EnvironmentId, WaitpointId } from '../../domain/ids.ts';
import { waitpointBatch, waitpointRetentionDays } from '../../domain/limits.ts';
import { recordText } from '../../domain/record.ts';
import type { Waitpoint, WaitpointState } from '../../domain/waitpoint.ts';
import type { WaitpointStore } from '../../sessions/waitpoint-ports.ts';
import type { Database, SqlRow } from '../database.ts';
import { adoptEarly, registerEarly } from './early.ts';
import { registerWaitpoint } from './register.ts';

interface WaitpointRow extends SqlRow {
  id: string;
  workflow_id: string;
  state: 'pending' | 'record' | 'timeout' | 'ended';
  body: Uint8Array | null;
}

const selectSql = `
  SELECT w.id, coalesce(s.workflow_id, w.awaited_workflow_id) AS workflow_id, w.state, r.body
  FROM waitpoints w LEFT JOIN sessions s ON s.id = w.session_id
    LEFT JOIN records r ON r.session_id = w.session_id AND r.stream = w.stream AND r.seq = w.record_seq`;

// Exactly once without the stream's lock: an append that completes the same row meanwhile holds it, and is passed by;
// one that comes later finds it pending no more. It waits for nothing, so it cannot take part in a deadlock.
const timeOutSql = `
  WITH due AS (
    SELECT id FROM waitpoints WHERE state = 'pending' AND timeout_at <= clock_timestamp()
    ORDER BY timeout_at LIMIT $1 FOR UPDATE SKIP LOCKED
  )
  UPDATE waitpoints w SET state = 'timeout', completed_at = clock_timestamp()
  FROM due WHERE w.id = due.id
  RETURNING coalesce(w.awaited_workflow_id, (SELECT workflow_id FROM sessions WHERE id = w.session_id)) AS workflow_id`;

const forgetSql = `
  DELETE FROM waitpoints WHERE id IN (
    SELECT id FROM waitpoints WHERE completed_at < clock_timestamp() - $1 * interval '1 day'
    ORDER BY completed_at LIMIT $2 FOR UPDATE SKIP LOCKED)`;

export function sqlWaitpointStore(db: Database): WaitpointStore {
  return {
    register: (order) => registerWaitpoint(db, order),
    registerEarly: (order) => registerEarly(db, order),
    adoptEarly: () => adoptEarly(db),
    async find(environmentId: EnvironmentId, id) {
      const [row] = await db.query<WaitpointRow>(`${selectSql} WHERE w.id = $1 AND w.environment_id = $2`, [
        id,
        environmentId,
      ]);
      return row === undefined ? null : waitpointOf(row);
    },
    async findCompleted(ids) {
      const rows = await db.query<WaitpointRow>(`${selectSql} WHERE w.id = ANY($1) AND w.state <> 'pending'`, [ids]);
      return rows.map(waitpointOf);
    },
    async timeOut() {
      const rows = await db.query<{ workflow_id: string }>(timeOutSql, [waitpointBatch]);
      return [...new Set(rows.map((row) => row.workflow_id))];
    },
    async forget() {
      await db.query(forgetSql, [waitpointRetentionDays, waitpointBatch]);
    },
  };
}

const waitpointOf = (row: WaitpointRow): Waitpoint => ({
  id: row.id as WaitpointId,
  workflowId: row.workflow_id,
  state: stateOf(row),
});

function stateOf({ state, body }: WaitpointRow): WaitpointState {
  switch (state) {
    case 'record':
      return { kind: 'record', text: body === null ? null : recordText(Buffer.from(body).toString('utf8')) };
    case 'pending':
    case 'timeout':
    case 'ended':
      return { kind: state };
  }
}
