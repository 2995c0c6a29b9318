/** POST /api/v1/sessions: the workflow's order, after a look for a row to reuse if there may be one, then the row. */
import { type CreateDecision, type CreateRequest, decideCreate, type NewSession } from '../domain/create-session.ts';
import { AlreadyStarted, fail, type Result, succeed } from '../domain/failure.ts';
import type { Environment, RunId, SessionId } from '../domain/ids.ts';
import { answerDeadlineMs } from '../domain/limits.ts';
import { type Session, sessionStateOf } from '../domain/session.ts';
import { awaitRow } from './await-row.ts';
import { isPendingVersion } from './pending-version.ts';
import type {
  Changes,
  Failpoints,
  RunObserver,
  RunStore,
  SessionAddress,
  SessionOrders,
  SessionStore,
} from './ports.ts';
import type { SeenRows } from './seen-rows.ts';
import { settled } from './settled.ts';
import { haveOtherTags, type TellLabels } from './tell-labels.ts';
import { workflowIdOf } from './workflow-id.ts';

export interface CreateSessionDeps {
  readonly sessions: SessionStore;
  readonly rows: SeenRows;
  readonly runs: RunStore;
  readonly orders: SessionOrders;
  readonly observer: RunObserver;
  readonly changes: Changes;
  readonly tellLabels: TellLabels;
  readonly failpoints: Failpoints;
  readonly newSessionId: () => SessionId;
  readonly now: () => Date;
}

export interface CreateSessionOrder {
  readonly environment: Environment;
  readonly request: CreateRequest;
  /** Of one logical call: its retries carry the same. */
  readonly requestKey: string;
  /** Called when nothing is left to do but to wait for a new session. */
  readonly onWaiting?: () => void;
}

export interface CreatedSession {
  readonly session: Session;
  readonly runId: RunId;
  readonly isCached: boolean;
  /** The run waits for a worker of the version that it is locked to. */
  readonly pendingVersion: boolean;
}

export async function createSession(
  deps: CreateSessionDeps,
  order: CreateSessionOrder,
): Promise<Result<CreatedSession>> {
  const workflowId = workflowIdOf(order.environment.name, order.request.externalId, order.requestKey);
  const deadlineAt = Date.now() + answerDeadlineMs;
  const decision = decideCreate(null, order.request, deps.now());
  const isUnseen = decision.kind === 'start' && deps.rows.isExpectedNew(workflowId);
  const made = isUnseen ? await startNewSession(deps, order, { workflowId, deadlineAt }) : null;
  if (made !== null) return answerFrom(deps, order, made);
  const found = await deps.rows.look(workflowId);
  if (found !== null) return answerFrom(deps, order, found);
  if (decision.kind === 'refuse') return fail({ code: decision.code });
  return answerFrom(deps, order, await startSession(deps, order, { workflowId, deadlineAt, by: deps.orders.start }));
}

interface SessionStart {
  readonly workflowId: string;
  readonly deadlineAt: number;
}

/** Null: there was one before, which may have a row. */
async function startNewSession(
  deps: CreateSessionDeps,
  order: CreateSessionOrder,
  start: SessionStart,
): Promise<Session | null> {
  try {
    return await startSession(deps, order, { ...start, by: deps.orders.startNew });
  } catch (thrown) {
    if (thrown instanceof AlreadyStarted) return null;
    throw thrown;
  }
}

/** The row that shows: ours, or that of a create which was faster. */
async function startSession(
  deps: CreateSessionDeps,
  order: CreateSessionOrder,
  { workflowId, deadlineAt, by }: SessionStart & { readonly by: SessionOrders['start'] },
): Promise<Session> {
  const session = newSession(deps, order);
  const row = await awaitRow(deps.changes, {
    workflowId,
    deadlineMs: Math.max(0, deadlineAt - Date.now()),
    send() {
      const accepted = by({ environment: order.environment, workflowId, session });
      order.onWaiting?.();
      return accepted;
    },
    read: () => deps.rows.find(workflowId),
    accept: (committed) => committed,
  });
  deps.rows.note(workflowId);
  return row;
}

function newSession(deps: CreateSessionDeps, { request, requestKey }: CreateSessionOrder): NewSession {
  return {
    id: deps.newSessionId(),
    type: request.type,
    taskIdentifier: request.taskIdentifier,
    triggerConfig: request.triggerConfig,
    externalId: request.externalId,
    tags: request.tags ?? [],
    metadata: request.metadata ?? null,
    expiresAtMs: request.expiresAt?.getTime() ?? null,
    requestKey,
  };
}

async function answerFrom(
  deps: CreateSessionDeps,
  order: CreateSessionOrder,
  found: Session,
): Promise<Result<CreatedSession>> {
  const session = await settled(deps.sessions, found);
  const decision = decideCreate(session, order.request, session.readAt);
  if (decision.kind === 'refuse') return fail({ code: decision.code });
  if (decision.kind === 'start') throw new Error(`session ${session.id} exists and was decided to be started`);
  return reuseSession(deps, order, { session, decision });
}

interface Reuse {
  readonly session: Session;
  readonly decision: Extract<CreateDecision, { kind: 'reuse' }>;
}

async function reuseSession(
  deps: CreateSessionDeps,
  order: CreateSessionOrder,
  reuse: Reuse,
): Promise<Result<CreatedSession>> {
  const { session, decision } = reuse;
  // The caller that made the session repeats itself: the same answer, and nothing is written over what came since.
  if (session.requestKey === order.requestKey) return succeed(await repeatedAnswer(deps, order.environment, session));
  const written = decision.changed ? await writeThrough(deps, order, session) : session;
  const current = written.currentRun.live ? written : await ensureRun(deps, order.environment, written);
  const state = sessionStateOf(current);
  if (state !== 'open') return fail({ code: state === 'closed' ? 'session_closed' : 'session_expired' });
  const made = { runId: current.currentRun.id, isCached: true };
  return succeed({ session: current, ...made, pendingVersion: await pendingVersion(deps, order.environment, current) });
}

async function repeatedAnswer(
  deps: CreateSessionDeps,
  environment: Environment,
  session: Session,
): Promise<CreatedSession> {
  const first = session.currentRun.number === 1 ? session.currentRun.id : await deps.runs.findFirstRunId(session.id);
  const made = { runId: first ?? session.currentRun.id, isCached: false };
  return { session, ...made, pendingVersion: await pendingVersion(deps, environment, session) };
}

function pendingVersion(deps: CreateSessionDeps, environment: Environment, session: Session): Promise<boolean> {
  const { taskIdentifier, triggerConfig } = session;
  return isPendingVersion(deps.observer, { environment: environment.name, taskIdentifier, options: triggerConfig });
}

async function writeThrough(deps: CreateSessionDeps, order: CreateSessionOrder, session: Session): Promise<Session> {
  const { triggerConfig, tags, metadata, expiresAt } = order.request;
  await deps.failpoints.hit('writeThrough:before');
  const written = await deps.sessions.writeThrough(session.id, {
    triggerConfig,
    ...(tags === undefined ? {} : { tags }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  });
  if (haveOtherTags(session.tags, written.tags)) deps.tellLabels(written);
  const moved = written.expiresAt?.getTime() !== session.expiresAt?.getTime();
  if (moved && sessionStateOf(written) === 'open') await deps.orders.reschedule(addressOf(order.environment, written));
  return written;
}

/** The current run is over: the answer is the run after it, whether or not that one is over again (a fast task). */
async function ensureRun(deps: CreateSessionDeps, environment: Environment, session: Session): Promise<Session> {
  if (sessionStateOf(session) !== 'open') return session;
  const deadRun = session.currentRun.number;
  return awaitRow(deps.changes, {
    workflowId: session.workflowId,
    send: () => deps.orders.ensure(addressOf(environment, session), deadRun),
    async read() {
      const now = await deps.sessions.findByWorkflowId(session.workflowId);
      return now !== null && (now.currentRun.number > deadRun || sessionStateOf(now) !== 'open') ? now : null;
    },
  });
}

export const addressOf = (environment: Environment, session: Session): SessionAddress => ({ ...session, environment });
