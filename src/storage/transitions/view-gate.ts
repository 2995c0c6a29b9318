/** What a transition answers. */
import { stateOf } from '../../domain/gate.ts';
import type { RunOrder } from '../../domain/run.ts';
import type { GateView } from '../../domain/transition.ts';
import type { Sql, SqlRow } from '../database.ts';
import { expireIfPast } from './expire-gate.ts';
import { type LockedGate, readClock } from './gate-row.ts';

interface RunOrderRow extends SqlRow {
  id: string;
  no: number;
  reason: string;
  task_identifier: string;
  payload: unknown;
  options: unknown;
}

/**
 * What the workflow must make itself agree with (R4), read in the transaction that changed it. No view says "expired"
 * of a gate whose row does not: the workflow acts on what it is told and would never write it (V11).
 */
export async function viewGate(sql: Sql, gate: LockedGate, scheduled: number): Promise<GateView> {
  const unscheduled = gate.live && gate.runNumber > scheduled ? await readRunOrder(sql, gate) : null;
  const now = await readClock(sql);
  return gateView(await expireIfPast(sql, gate, now), now, unscheduled);
}

export function gateView(gate: LockedGate, now: Date, unscheduled: RunOrder | null): GateView {
  return {
    kind: 'gate',
    sessionId: gate.sessionId,
    externalId: gate.externalId,
    taskIdentifier: gate.taskIdentifier,
    environment: gate.environment,
    state: stateOf(gate, now),
    runNumber: gate.runNumber,
    live: gate.live,
    expiresAtMs: gate.expiresAt?.getTime() ?? null,
    nowMs: now.getTime(),
    unscheduled,
  };
}

async function readRunOrder(sql: Sql, gate: LockedGate): Promise<RunOrder | null> {
  const [row] = await sql.query<RunOrderRow>(
    'SELECT id, no, reason, task_identifier, payload, options FROM runs WHERE session_id = $1 AND no = $2',
    [gate.sessionId, gate.runNumber],
  );
  if (row === undefined) return null;
  return {
    id: row.id as RunOrder['id'],
    number: row.no,
    reason: row.reason as RunOrder['reason'],
    taskIdentifier: row.task_identifier,
    payload: row.payload as RunOrder['payload'],
    options: row.options as RunOrder['options'],
  };
}
