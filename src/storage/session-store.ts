/** Sessions as callers read them: one joined row per read, so an answer is one consistent moment. */
import { isOpen } from '../domain/gate.ts';
import type { EnvironmentId, RunId, SessionId } from '../domain/ids.ts';
import type { Session } from '../domain/session.ts';
import type { JsonObject, TriggerConfig } from '../domain/trigger-config.ts';
import type { SessionChanges, SessionStore, SessionUpdate } from '../sessions/ports.ts';
import type { Database, Sql, SqlRow, SqlValue } from './database.ts';
import { expireIfPast } from './transitions/expire-gate.ts';
import { lockGate, readClock } from './transitions/gate-row.ts';

interface SessionRow extends SqlRow {
  id: string;
  environment_id: string;
  workflow_id: string;
  external_id: string | null;
  type: string;
  task_identifier: string;
  trigger_config: TriggerConfig;
  tags: string[];
  metadata: JsonObject | null;
  request_key: string;
  created_at: Date;
  updated_at: Date;
  closed_at: Date | null;
  closed_reason: string | null;
  expires_at: Date | null;
  expired_at: Date | null;
  run_id: string;
  run_no: number;
  live: boolean;
  read_at: Date;
}

const selectSession = `
  SELECT s.id, s.environment_id, s.workflow_id, s.external_id, s.type, s.task_identifier, s.trigger_config, s.tags,
    s.metadata, s.request_key, s.created_at, s.updated_at, g.closed_at, g.closed_reason, g.expires_at, g.expired_at,
    g.run_no, g.live, r.id AS run_id, clock_timestamp() AS read_at
  FROM sessions s JOIN gates g ON g.session_id = s.id JOIN runs r ON r.session_id = s.id AND r.no = g.run_no`;

export function sqlSessionStore(db: Database): SessionStore {
  return {
    findByWorkflowId: (workflowId) => findOne(db, 'WHERE s.workflow_id = $1', [workflowId]),
    findById: (environmentId: EnvironmentId, id: SessionId) =>
      findOne(db, 'WHERE s.id = $1 AND s.environment_id = $2', [id, environmentId]),
    findByExternalId: (environmentId: EnvironmentId, externalId: string) =>
      findOne(db, 'WHERE s.environment_id = $1 AND s.external_id = $2', [environmentId, externalId]),
    writeThrough: (id, changes) => db.transaction((sql) => writeThrough(sql, id, changes)),
    update: (id, update) => db.transaction((sql) => updateSession(sql, id, update)),
    settleExpiry: (id) => db.transaction((sql) => settleExpiry(sql, id)),
  };
}

async function findOne(sql: Sql, where: string, values: readonly SqlValue[]): Promise<Session | null> {
  const [row] = await sql.query<SessionRow>(`${selectSession} ${where}`, values);
  return row === undefined ? null : sessionOf(row);
}

/** V11: under the gate and only while open, so that nobody is told "expired" of a row that moves its expiry later. */
async function writeThrough(sql: Sql, id: SessionId, changes: SessionChanges): Promise<Session> {
  const gate = await lockGate(sql, id);
  if (gate !== null) {
    const now = await readClock(sql);
    if (isOpen(gate, now)) await applyChanges(sql, id, changes);
    else await expireIfPast(sql, gate, now);
  }
  return readExisting(sql, id);
}

async function applyChanges(sql: Sql, id: SessionId, changes: SessionChanges): Promise<void> {
  await sql.query(
    `UPDATE sessions SET trigger_config = $2::json, tags = coalesce($3, tags), metadata = coalesce($4::json, metadata),
       updated_at = clock_timestamp()
     WHERE id = $1`,
    [
      id,
      JSON.stringify(changes.triggerConfig),
      changes.tags ?? null,
      changes.metadata === undefined ? null : JSON.stringify(changes.metadata),
    ],
  );
  if (changes.expiresAt !== undefined) {
    await sql.query('UPDATE gates SET expires_at = $2 WHERE session_id = $1', [id, changes.expiresAt]);
  }
}

/** Serialised by the gate with every other writer of the row; an ended session can still be labelled. */
async function updateSession(sql: Sql, id: SessionId, { tags, metadata }: SessionUpdate): Promise<Session> {
  await lockGate(sql, id);
  await sql.query(
    `UPDATE sessions SET tags = coalesce($2, tags), metadata = CASE WHEN $3 THEN $4::json ELSE metadata END,
       updated_at = clock_timestamp()
     WHERE id = $1`,
    [id, tags ?? null, metadata !== undefined, metadata === undefined ? null : JSON.stringify(metadata)],
  );
  return readExisting(sql, id);
}

async function settleExpiry(sql: Sql, id: SessionId): Promise<Session> {
  const gate = await lockGate(sql, id);
  if (gate !== null) await expireIfPast(sql, gate, await readClock(sql));
  return readExisting(sql, id);
}

async function readExisting(sql: Sql, id: SessionId): Promise<Session> {
  const session = await findOne(sql, 'WHERE s.id = $1', [id]);
  if (session === null) throw new Error(`session ${id} has no row`);
  return session;
}

function sessionOf(row: SessionRow): Session {
  return {
    id: row.id as SessionId,
    environmentId: row.environment_id as EnvironmentId,
    workflowId: row.workflow_id,
    externalId: row.external_id,
    type: row.type,
    taskIdentifier: row.task_identifier,
    triggerConfig: row.trigger_config,
    tags: row.tags,
    metadata: row.metadata,
    requestKey: row.request_key,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    closedAt: row.closed_at,
    closedReason: row.closed_reason,
    expiresAt: row.expires_at,
    expiredAt: row.expired_at,
    currentRun: { id: row.run_id as RunId, number: row.run_no, live: row.live },
    readAt: row.read_at,
  };
}
