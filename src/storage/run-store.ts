/** Runs as callers read them. */
import type { EnvironmentId, RunId, SessionId } from '../domain/ids.ts';
import type { RunError, RunReason, StoredRunStatus } from '../domain/run.ts';
import type { JsonObject, JsonValue, RunOptions } from '../domain/trigger-config.ts';
import type { Run, RunStore } from '../sessions/ports.ts';
import type { Database, SqlRow } from './database.ts';
import { claimRun } from './transitions/claim.ts';
import { commitCursor } from './transitions/commit-cursor.ts';

interface RunRow extends SqlRow {
  id: string;
  session_id: string;
  no: number;
  environment_id: string;
  workflow_id: string;
  status: string;
  reason: string;
  task_identifier: string;
  payload: JsonObject;
  options: RunOptions;
  attempts: number;
  output: JsonValue;
  error: RunError | null;
  created_at: Date;
  updated_at: Date;
  started_at: Date | null;
  finished_at: Date | null;
}

// I8: a run of another environment is not found, as one that never was.
const findRunSql = `
  SELECT r.id, r.session_id, r.no, r.environment_id, s.workflow_id, r.status, r.reason, r.task_identifier, r.payload,
    r.options, r.attempts, r.output, r.error, r.created_at, r.updated_at, r.started_at, r.finished_at
  FROM runs r JOIN sessions s ON s.id = r.session_id
  WHERE r.id = $1 AND r.environment_id = $2`;

export function sqlRunStore(db: Database): RunStore {
  return {
    async find(environmentId, id) {
      const [row] = await db.query<RunRow>(findRunSql, [id, environmentId]);
      return row === undefined ? null : runOf(row);
    },
    async findFirstRunId(sessionId) {
      const [row] = await db.query<{ id: RunId }>('SELECT id FROM runs WHERE session_id = $1 AND no = 1', [sessionId]);
      return row?.id ?? null;
    },
    async findSuccessor(sessionId, runNumber) {
      const [row] = await db.query<{ id: RunId; request_key: string | null }>(
        'SELECT id, request_key FROM runs WHERE session_id = $1 AND no = $2',
        [sessionId, runNumber + 1],
      );
      return row === undefined ? null : { id: row.id, requestKey: row.request_key };
    },
    claim: (order) => claimRun(db, order),
    commitCursor: (order) => commitCursor(db, order),
  };
}

function runOf(row: RunRow): Run {
  return {
    id: row.id as RunId,
    sessionId: row.session_id as SessionId,
    number: row.no,
    environmentId: row.environment_id as EnvironmentId,
    workflowId: row.workflow_id,
    status: row.status as StoredRunStatus,
    reason: row.reason as RunReason,
    taskIdentifier: row.task_identifier,
    payload: row.payload,
    options: row.options,
    attempts: row.attempts,
    output: row.output,
    error: row.error,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}
