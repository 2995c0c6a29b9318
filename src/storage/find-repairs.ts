/** Rows that the reconciler compares with Temporal. Never locks: what it orders is decided again under the gate. */
import type { EnvironmentName, RunId, SessionId } from '../domain/ids.ts';
import { reconcileBatch, reconcilePage } from '../domain/limits.ts';
import type { OwnedRuns, Repair } from '../domain/reconcile.ts';
import type { RepairStore, SessionAddress } from '../sessions/ports.ts';
import type { Database, SqlRow } from './database.ts';

// An order that is on its way must not look like one that was lost: hence the margin.
const overdueSql = `
  SELECT session_id, run_no, wake_after = run_no AND NOT live AND (expires_at IS NULL OR expires_at > clock_timestamp()) AS wake
  FROM gates
  WHERE closed_at IS NULL AND expired_at IS NULL
    AND ((wake_after = run_no AND NOT live) OR expires_at < clock_timestamp() - interval '2 s')
  LIMIT $1`;

const unfinishedSqlOf = (which: string) => `
  SELECT r.session_id, s.workflow_id, g.owner, array_agg(r.id) AS run_ids
  FROM runs r JOIN gates g ON g.session_id = r.session_id JOIN sessions s ON s.id = r.session_id
  WHERE r.finished_at IS NULL AND r.created_at < clock_timestamp() - interval '10 s' AND ${which}
  GROUP BY r.session_id, s.workflow_id, g.owner ORDER BY r.session_id LIMIT $2`;

const unfinishedSql = unfinishedSqlOf('r.session_id > $1');
const unfinishedOfSql = unfinishedSqlOf('r.session_id = $1');

const addressSql = `
  SELECT s.id, s.workflow_id, s.external_id, s.type, s.task_identifier, s.tags, e.id AS environment_id, e.name
  FROM sessions s JOIN environments e ON e.id = s.environment_id WHERE s.id = $1`;

interface UnfinishedRow extends SqlRow {
  session_id: SessionId;
  workflow_id: string;
  owner: string;
  run_ids: RunId[];
}

interface AddressRow extends SqlRow {
  id: string;
  workflow_id: string;
  external_id: string | null;
  type: string;
  task_identifier: string;
  tags: string[];
  environment_id: string;
  name: string;
}

export function sqlRepairStore(db: Database): RepairStore {
  return {
    async findOverdue() {
      const rows = await db.query<{ session_id: SessionId; run_no: number; wake: boolean }>(overdueSql, [
        reconcileBatch,
      ]);
      return rows.map(
        (row): Repair =>
          row.wake
            ? { kind: 'wake', sessionId: row.session_id, runNumber: row.run_no }
            : { kind: 'expire', sessionId: row.session_id },
      );
    },
    async findUnfinished(after) {
      return (await db.query<UnfinishedRow>(unfinishedSql, [after ?? '', reconcilePage])).map(runsOf);
    },
    async findUnfinishedOf(sessionId) {
      const [row] = await db.query<UnfinishedRow>(unfinishedOfSql, [sessionId, 1]);
      return row === undefined ? null : runsOf(row);
    },
    async findAddress(sessionId) {
      const [row] = await db.query<AddressRow>(addressSql, [sessionId]);
      return row === undefined ? null : addressOf(row);
    },
  };
}

const runsOf = (row: UnfinishedRow): OwnedRuns => ({
  sessionId: row.session_id,
  runIds: row.run_ids,
  workflowId: row.workflow_id,
  owner: row.owner,
});

const addressOf = (row: AddressRow): SessionAddress => ({
  id: row.id as SessionId,
  workflowId: row.workflow_id,
  externalId: row.external_id,
  type: row.type,
  taskIdentifier: row.task_identifier,
  tags: row.tags,
  environment: { id: row.environment_id as SessionAddress['environment']['id'], name: row.name as EnvironmentName },
});
