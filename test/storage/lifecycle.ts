/** A session's rows without Temporal: what the tests of transitions start from. */
import type { Owner } from '../../src/domain/gate.ts';
import type { RunId } from '../../src/domain/ids.ts';
import type { FinalRunStatus, RunOutcome } from '../../src/domain/run.ts';
import type { CreateOrder, GateView, TransitionAnswer } from '../../src/domain/transition.ts';
import { newEnvironmentId, newRunId, newSessionId } from '../../src/sessions/new-ids.ts';
import type { Transitions } from '../../src/sessions/ports.ts';
import type { Database, Sql } from '../../src/storage/database.ts';
import { sqlTransitions } from '../../src/storage/transitions/sql-transitions.ts';

export interface Lifecycle extends Transitions {
  readonly database: Database;
  createOrder(changes?: Partial<CreateOrder['session']>, owner?: Owner): CreateOrder;
  /** A new session with a live first run. */
  open(changes?: Partial<CreateOrder['session']>): Promise<OpenSession>;
}

export interface OpenSession {
  readonly order: CreateOrder;
  readonly view: GateView;
  /** What every later order of its workflow carries. */
  readonly own: { readonly sessionId: GateView['sessionId']; readonly owner: Owner; readonly scheduled: number };
  readonly runId: RunId;
}

export async function lifecycleOf(database: Database): Promise<Lifecycle> {
  const environment = { id: newEnvironmentId(), name: 'dev' as const };
  await database.query(
    `INSERT INTO environments (id, name) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET id = environments.id`,
    [environment.id, environment.name],
  );
  const [stored] = await database.query<{ id: typeof environment.id }>(
    `SELECT id FROM environments WHERE name = 'dev'`,
  );
  const transitions = sqlTransitions(database, newRunId);
  const createOrder: Lifecycle['createOrder'] = (changes = {}, owner = anOwner()) => {
    const id = newSessionId();
    return {
      environment: { ...environment, id: stored?.id ?? environment.id },
      workflowId: `session/dev/${changes.externalId ?? id}`,
      owner,
      scheduled: 0,
      session: {
        id,
        type: 'chat.agent',
        taskIdentifier: 'my-chat',
        triggerConfig: { basePayload: { chatId: 'c' } },
        externalId: id.replace('session_', 'ext_'),
        tags: [],
        metadata: null,
        expiresAtMs: null,
        requestKey: id,
        ...changes,
      },
    };
  };
  return {
    ...transitions,
    database,
    createOrder,
    async open(changes) {
      const order = createOrder(changes);
      const view = gateOf(await transitions.create(order));
      const runId = view.unscheduled?.id;
      if (runId === undefined) throw new Error('a new session has an unscheduled run');
      return { order, view, own: { sessionId: view.sessionId, owner: order.owner, scheduled: 1 }, runId };
    },
  };
}

let owners = 0;

/** Each later than the one before. */
export function anOwner(startedAtMs = 1_700_000_000_000): Owner {
  owners += 1;
  return { id: `owner-${owners}`, startedAtMs: startedAtMs + owners };
}

export function gateOf(answer: TransitionAnswer): GateView {
  if (answer.kind === 'gone') throw new Error('expected a gate, got gone');
  return answer;
}

export const outcome = (status: FinalRunStatus): RunOutcome =>
  status === 'COMPLETED' ? { status, output: { done: true } } : { status, error: { name: 'Error', message: status } };

/** A client's record on `in`, as an append will store it. */
export async function appendRecord(database: Database, sessionId: string): Promise<number> {
  const [row] = await database.query<{ seq: number }>(
    `WITH gate AS (UPDATE gates SET next = next + 1 WHERE session_id = $1 RETURNING next - 1 AS seq)
     INSERT INTO records (session_id, stream, seq, part_id, from_client, body)
     SELECT $1, 'in', seq, 'part-' || seq, true, 'x' FROM gate RETURNING seq`,
    [sessionId],
  );
  if (row === undefined) throw new Error(`no gate of ${sessionId}`);
  return row.seq;
}

export interface Rows {
  readonly gate: Record<string, unknown>;
  readonly out: Record<string, unknown>;
  readonly runs: readonly Record<string, unknown>[];
  readonly records: readonly Record<string, unknown>[];
}

/** Everything about a session, without clocks: what must be the same however often an order is repeated. */
export async function rowsOf(sql: Sql, sessionId: string): Promise<Rows> {
  const select = (text: string) => sql.query(text, [sessionId]);
  const [gate] = await select('SELECT * FROM gates WHERE session_id = $1');
  const [out] = await select('SELECT * FROM outs WHERE session_id = $1');
  const runs = await select(
    'SELECT id, no, status, reason, request_key, payload, options, attempts, output, error, finished_at FROM runs WHERE session_id = $1 ORDER BY no',
  );
  const records = await select(
    'SELECT stream, seq, part_id, from_client, headers, body FROM records WHERE session_id = $1 ORDER BY stream, seq',
  );
  if (gate === undefined || out === undefined) throw new Error(`no rows of ${sessionId}`);
  return { gate, out, runs, records };
}

/** I1, I3 and the shape of every state: checked after each step of a test that moves a session. */
export function brokenInvariants({ gate, out, runs }: Rows): string[] {
  const current = runs.find((run) => run['no'] === gate['run_no']);
  const isLive = gate['live'] === true;
  const fenceIsOurs = out['fence_run'] === gate['run_no'];
  const rules: [string, boolean][] = [
    ['the current run has a row', current !== undefined],
    ['I1: live says what the current run is', isLive === (current?.['finished_at'] === null)],
    ['run numbers have no gap', runs.every((run, index) => run['no'] === index + 1)],
    [
      'I3: status and finished_at agree',
      runs.every(({ status, finished_at: at }) => (status === 'QUEUED') === (at === null)),
    ],
    ['V14: the fence of an ended run is shut', isLive || !fenceIsOurs || out['fence_attempt'] === null],
    ['V14: the fence of a live run is its own', !isLive || fenceIsOurs],
  ];
  return rules.filter(([, holds]) => !holds).map(([rule]) => rule);
}
