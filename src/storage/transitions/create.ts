/** create(environment, externalId, request key, owner): the row, its gate, its streams and run 1, or the row that exists. */
import { type Gate, isOpen } from '../../domain/gate.ts';
import type { RunId, SessionId } from '../../domain/ids.ts';
import type { RunOrder } from '../../domain/run.ts';
import type { Session } from '../../domain/session.ts';
import type { CreateOrder, TransitionAnswer } from '../../domain/transition.ts';
import { runOptions, runPayload } from '../../domain/trigger-config.ts';
import type { OnCommitted } from '../../sessions/ports.ts';
import type { Database } from '../database.ts';
import { adoptSession } from './adopt.ts';
import type { LockedGate } from './gate-row.ts';
import { gateView } from './view-gate.ts';

// One statement and so one transaction and one round trip: 0.6 ms of a create on PostgreSQL (`npm run bench create`).
// I6: the two unique keys decide; a loser inserts nothing and reads the winner's row in a new statement.
const insertSessionSql = `
  WITH session AS (
    INSERT INTO sessions (id, environment_id, workflow_id, external_id, type, task_identifier, trigger_config, tags, metadata, request_key)
    VALUES ($1, $2, $3, $4, $5, $6, $7::json, $8, $9::json, $10)
    ON CONFLICT DO NOTHING
    RETURNING id, created_at, updated_at
  ), gate AS (
    INSERT INTO gates (session_id, owner, owner_started_at, expires_at) SELECT id, $11, $12, $13 FROM session
  ), out AS (
    INSERT INTO outs (session_id) SELECT id FROM session
  ), run AS (
    INSERT INTO runs (id, session_id, no, environment_id, reason, request_key, task_identifier, payload, options)
    SELECT $14, id, 1, $2, 'initial', $10, $6, $15::json, $16::json FROM session
  )
  SELECT created_at, updated_at, clock_timestamp() AS now FROM session`;

type InsertedRow = { created_at: Date; updated_at: Date; now: Date };

export interface CreateParts {
  readonly newRunId: () => RunId;
  readonly onCommitted?: OnCommitted | undefined;
}

export async function createSession(
  db: Database,
  order: CreateOrder,
  { newRunId, onCommitted }: CreateParts,
): Promise<TransitionAnswer> {
  const run = firstRun(order, newRunId());
  const [inserted] = await db.query<InsertedRow>(insertSessionSql, insertValues(order, run));
  if (inserted !== undefined) {
    onCommitted?.(insertedSession(order, run, inserted));
    const gate = newGate(order);
    if (isOpen(gate, inserted.now)) return gateView(gate, inserted.now, order.scheduled < 1 ? run : null);
  }
  // There already, or inserted by a worker so late that it has expired.
  const [existing] = await db.query<{ id: SessionId }>('SELECT id FROM sessions WHERE workflow_id = $1', [
    order.workflowId,
  ]);
  if (existing === undefined) throw new Error(`the row of ${order.workflowId} conflicts with another session`);
  return adoptSession(db, { sessionId: existing.id, owner: order.owner, scheduled: order.scheduled }, newRunId);
}

function firstRun(order: CreateOrder, id: RunId): RunOrder {
  const { session } = order;
  return {
    id,
    number: 1,
    reason: 'initial',
    taskIdentifier: session.taskIdentifier,
    payload: runPayload(session.triggerConfig, session.id, null),
    options: runOptions(session.triggerConfig),
  };
}

function insertValues(order: CreateOrder, run: RunOrder) {
  const { session, environment, owner } = order;
  return [
    session.id,
    environment.id,
    order.workflowId,
    session.externalId,
    session.type,
    session.taskIdentifier,
    JSON.stringify(session.triggerConfig),
    session.tags,
    session.metadata === null ? null : JSON.stringify(session.metadata),
    session.requestKey,
    owner.id,
    new Date(owner.startedAtMs),
    session.expiresAtMs === null ? null : new Date(session.expiresAtMs),
    run.id,
    JSON.stringify(run.payload),
    JSON.stringify(run.options),
  ];
}

/** As a read of the row that this order has just committed would show it. */
function insertedSession(order: CreateOrder, run: RunOrder, inserted: InsertedRow): Session {
  const { session, environment } = order;
  return {
    id: session.id,
    environmentId: environment.id,
    workflowId: order.workflowId,
    externalId: session.externalId,
    type: session.type,
    taskIdentifier: session.taskIdentifier,
    triggerConfig: session.triggerConfig,
    tags: session.tags,
    metadata: session.metadata,
    requestKey: session.requestKey,
    createdAt: inserted.created_at,
    updatedAt: inserted.updated_at,
    closedAt: null,
    closedReason: null,
    expiresAt: session.expiresAtMs === null ? null : new Date(session.expiresAtMs),
    expiredAt: null,
    currentRun: { id: run.id, number: run.number, live: true },
    readAt: inserted.now,
  };
}

function newGate(order: CreateOrder): LockedGate {
  const { session, environment, owner } = order;
  const gate: Gate = {
    owner: owner.id,
    ownerStartedAtMs: owner.startedAtMs,
    runNumber: 1,
    live: true,
    attempt: 0,
    began: null,
    consumed: 0,
    next: 0,
    wakeAfter: null,
    barren: 0,
    closedAt: null,
    closedReason: null,
    expiresAt: session.expiresAtMs === null ? null : new Date(session.expiresAtMs),
    expiredAt: null,
    waitedFor: false,
  };
  return {
    ...gate,
    sessionId: session.id,
    externalId: session.externalId,
    taskIdentifier: session.taskIdentifier,
    environment: environment.name,
  };
}
