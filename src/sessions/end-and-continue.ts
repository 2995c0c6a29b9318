/** POST .../end-and-continue: the calling run hands its session to a fresh run, while it is still the current one. */
import { fail, type Result, succeed } from '../domain/failure.ts';
import type { Environment, RunId } from '../domain/ids.ts';
import type { RunReason } from '../domain/run.ts';
import { type Session, sessionStateOf } from '../domain/session.ts';
import { awaitRow } from './await-row.ts';
import { addressOf } from './create-session.ts';
import { isPendingVersion } from './pending-version.ts';
import type { Changes, Run, RunObserver, RunStore, SessionOrders, SessionStore } from './ports.ts';
import { settled } from './settled.ts';

export interface EndAndContinueDeps {
  readonly sessions: SessionStore;
  readonly runs: RunStore;
  readonly orders: SessionOrders;
  readonly observer: RunObserver;
  readonly changes: Changes;
}

export interface EndAndContinueRequest {
  readonly environment: Environment;
  readonly session: Session;
  readonly callingRunId: RunId | null;
  /** I8: a caller that sees this session alone is not told which runs other sessions have. */
  readonly seesOtherSessions: boolean;
  readonly reason: RunReason;
  /** Of one logical call: its retries carry the same. */
  readonly requestKey: string;
  readonly externalDeploymentId: string | null;
}

export interface HandedOver {
  readonly runId: RunId;
  /** Whether this call, and no other, started `runId`. */
  readonly swapped: boolean;
  readonly pendingVersion: boolean;
}

export async function endAndContinue(
  deps: EndAndContinueDeps,
  request: EndAndContinueRequest,
): Promise<Result<HandedOver>> {
  const session = await settled(deps.sessions, request.session);
  const ended = endedOf(session);
  if (ended !== null) return ended;
  const calling = await findCallingRun(deps, request);
  if (calling === null) return fail({ code: 'calling_run_not_found' });
  // The guard before anything starts: a known loser sends no order.
  const isCurrent = calling.sessionId === session.id && calling.number === session.currentRun.number;
  const after = isCurrent ? await orderHandOver(deps, request, calling) : session;
  return answerFrom(deps, request, { session: after, calling });
}

function endedOf(session: Session): ReturnType<typeof fail> | null {
  const state = sessionStateOf(session);
  return state === 'open' ? null : fail({ code: 'hand_over_ended', state });
}

async function findCallingRun(deps: EndAndContinueDeps, request: EndAndContinueRequest): Promise<Run | null> {
  const { environment, session, callingRunId, seesOtherSessions } = request;
  const run = callingRunId === null ? null : await deps.runs.find(environment.id, callingRunId);
  return run !== null && (seesOtherSessions || run.sessionId === session.id) ? run : null;
}

/** The session once the calling run is no longer current, or once it has ended. */
function orderHandOver(deps: EndAndContinueDeps, request: EndAndContinueRequest, calling: Run): Promise<Session> {
  const { environment, session, reason, requestKey, externalDeploymentId } = request;
  const handOver = { runNumber: calling.number, reason, requestKey, externalDeploymentId };
  return awaitRow(deps.changes, {
    workflowId: session.workflowId,
    send: () => deps.orders.endAndContinue(addressOf(environment, session), handOver),
    async read() {
      const now = await deps.sessions.findById(environment.id, session.id);
      const isOver = now !== null && (now.currentRun.number > calling.number || sessionStateOf(now) !== 'open');
      return isOver ? now : null;
    },
  });
}

/** V15: whether it was this call is told by the key that the next run carries, not by what is current. */
async function answerFrom(
  deps: EndAndContinueDeps,
  request: EndAndContinueRequest,
  { session, calling }: { session: Session; calling: Run },
): Promise<Result<HandedOver>> {
  const successor = calling.sessionId === session.id ? await deps.runs.findSuccessor(session.id, calling.number) : null;
  const swapped = successor !== null && successor.requestKey === request.requestKey;
  const ended = swapped ? null : endedOf(session);
  if (ended !== null) return ended;
  const { taskIdentifier, triggerConfig } = session;
  const task = { environment: request.environment.name, taskIdentifier, options: triggerConfig };
  return succeed({
    runId: swapped ? successor.id : session.currentRun.id,
    swapped,
    pendingVersion: await isPendingVersion(deps.observer, task),
  });
}
