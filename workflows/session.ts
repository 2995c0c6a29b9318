/**
 * One workflow per session orders all its transitions. It takes one input at a time, each is one repeatable
 * transaction in a local activity, and then it makes itself agree with the gate row that came back (R4).
 */
import {
  allHandlersFinished,
  CancellationScope,
  continueAsNew,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities, Answer } from '../activities/index.ts';
import { sessionDetails } from '../src/domain/describe-session.ts';
import type { Owner } from '../src/domain/gate.ts';
import type { RunId } from '../src/domain/ids.ts';
import type { RunOrder } from '../src/domain/run.ts';
import { taskQueueCandidates } from '../src/domain/task-queue.ts';
import type { SessionView } from '../src/domain/transition.ts';
import { type Inbox, openInbox, type SessionEvent } from './inbox.ts';
import { describeQuery, type SessionInput } from './messages.ts';
import { runTask } from './run-activity.ts';
import {
  sessionId as sessionIdAttribute,
  sessionStatus,
  sessionTags,
  statusOf,
  tagsThatFit,
} from './search-attributes.ts';
import { SessionTimers } from './timers.ts';

const activities = proxyLocalActivities<Activities>({
  startToCloseTimeout: '5s',
  // A database that is down is waited for; beyond the threshold the waiting is Temporal's and costs no task.
  retry: { initialInterval: '50ms', backoffCoefficient: 2, maximumInterval: '5s' },
  localRetryThreshold: '10s',
});

/** Of a close by a cancellation of the workflow itself. */
const cancelReason = 'cancelled in Temporal';

interface OpenRun {
  readonly id: RunId;
  readonly scope: CancellationScope;
}

interface SessionLoop {
  readonly inbox: Inbox;
  readonly timers: SessionTimers;
  readonly owner: Owner;
  /** Runs whose activity is open, by number. */
  readonly openRuns: Map<number, OpenRun>;
  scheduled: number;
  view: SessionView | null;
  graceOver: boolean;
}

export async function session(input: SessionInput): Promise<void> {
  const loop = startLoop(input);
  // Temporal's own "cancel" would end this workflow at once and leave a live run in the row that nobody executes.
  CancellationScope.current().cancelRequested.catch(() =>
    loop.inbox.push({ kind: 'close', order: { reason: cancelReason, callingRunId: null } }),
  );
  await CancellationScope.nonCancellable(() => runSession(loop, input));
}

async function runSession(loop: SessionLoop, input: SessionInput): Promise<void> {
  const opened = await open(loop, input);
  if (opened.kind === 'gone') return;
  agree(loop, opened);
  while (!isOver(loop)) {
    const event = loop.inbox.take();
    if (event === undefined) {
      await rest(loop);
      continue;
    }
    const answer = await transition(loop, event);
    if (answer?.kind === 'gone') return;
    if (answer !== null) agree(loop, answer);
  }
  loop.timers.clear();
}

function startLoop(input: SessionInput): SessionLoop {
  const info = workflowInfo();
  const inbox = openInbox();
  const loop: SessionLoop = {
    inbox,
    timers: new SessionTimers(inbox),
    // The first execution's id survives continue-as-new, so the owner does.
    owner:
      input.kind === 'resume' ? input.owner : { id: info.firstExecutionRunId, startedAtMs: info.startTime.getTime() },
    openRuns: new Map(),
    scheduled: input.kind === 'resume' ? input.scheduled : 0,
    view: null,
    graceOver: false,
  };
  setHandler(describeQuery, () => ({
    sessionId: loop.view?.sessionId ?? null,
    state: loop.view?.state ?? 'starting',
    runNumber: loop.view?.runNumber ?? 0,
    openRuns: [...loop.openRuns.values()].map((run) => run.id),
    expiresAt: typeof loop.view?.expiresAtMs === 'number' ? new Date(loop.view.expiresAtMs).toISOString() : null,
  }));
  return loop;
}

function open(loop: SessionLoop, input: SessionInput): Promise<Answer> {
  const { owner, scheduled } = loop;
  switch (input.kind) {
    case 'create': {
      const { environment, session: proposed } = input;
      return activities.persistSession({
        environment,
        session: proposed,
        workflowId: workflowInfo().workflowId,
        owner,
        scheduled,
      });
    }
    case 'adopt':
      return activities.adoptSession({ sessionId: input.sessionId, owner, scheduled });
    case 'resume':
      return activities.lookAtSession({ sessionId: input.sessionId, owner, scheduled });
  }
}

/** One input is one transition; null when it concerns only this workflow. */
async function transition(loop: SessionLoop, event: SessionEvent): Promise<Answer | null> {
  const own = { sessionId: (loop.view as SessionView).sessionId, owner: loop.owner, scheduled: loop.scheduled };
  switch (event.kind) {
    case 'continue':
      return activities.triggerRun({ ...own, runNumber: event.runNumber });
    case 'endAndContinue':
      return activities.handOverRun({ ...own, ...event.order });
    case 'close':
      return activities.closeSession({ ...own, ...event.order });
    case 'expire':
      return activities.expireSession(own);
    case 'look':
      return activities.lookAtSession(own);
    case 'relabel':
      return activities.lookAtLabels(own);
    case 'runEnded':
      loop.openRuns.delete(event.runNumber);
      return activities.recordRunEnd({ ...own, runNumber: event.runNumber, outcome: event.outcome });
    case 'cancelRun':
      cancelRuns(loop, (run) => run.id === event.runId);
      return null;
    case 'graceOver':
      loop.graceOver = true;
      cancelRuns(loop, () => true);
      return null;
  }
}

function cancelRuns(loop: SessionLoop, matches: (run: OpenRun) => boolean): void {
  for (const run of loop.openRuns.values()) if (matches(run)) run.scope.cancel();
}

/** Schedules whatever the row shows live and unscheduled, and shows operators what changed. */
function agree(loop: SessionLoop, view: SessionView): void {
  const shown = loop.view;
  loop.view = view;
  if (view.unscheduled !== null && view.unscheduled.number > loop.scheduled) schedule(loop, view, view.unscheduled);
  loop.timers.agree(view);
  if (view.tags !== undefined) showTags(view.tags);
  if (shown?.state !== view.state || shown.sessionId !== view.sessionId) showStatus(view);
  setCurrentDetails(
    sessionDetails(
      view,
      [...loop.openRuns.values()].map((run) => run.id),
    ),
  );
}

/** A start carries the attributes of an open session with the proposed id; only what differs costs an event. */
function showStatus(view: SessionView): void {
  const attributes = workflowInfo().typedSearchAttributes;
  const status = statusOf(view.state);
  if (attributes.get(sessionStatus) === status && attributes.get(sessionIdAttribute) === view.sessionId) return;
  upsertSearchAttributes([
    { key: sessionStatus, value: status },
    { key: sessionIdAttribute, value: view.sessionId },
  ]);
}

/** An order that changed nothing which is shown costs no event. */
function showTags(tags: readonly string[]): void {
  const shown = workflowInfo().typedSearchAttributes.get(sessionTags) ?? [];
  const fitting = tagsThatFit(tags);
  if (JSON.stringify(shown) === JSON.stringify(fitting)) return;
  upsertSearchAttributes([{ key: sessionTags, value: fitting.length === 0 ? null : fitting }]);
}

function schedule(loop: SessionLoop, view: SessionView, run: RunOrder): void {
  const scope = new CancellationScope();
  loop.openRuns.set(run.number, { id: run.id, scope });
  loop.scheduled = run.number;
  const candidates = taskQueueCandidates({
    environment: view.environment,
    taskIdentifier: run.taskIdentifier,
    options: run.options,
  });
  const execute = async () => {
    const taskQueue = candidates.length === 1 ? candidates[0] : await activities.chooseTaskQueue(candidates);
    const outcome = await scope.run(() => runTask(view, run, taskQueue));
    loop.inbox.push({ kind: 'runEnded', runNumber: run.number, outcome });
  };
  void execute();
  // I4: no run starts after an end; nor does one that starts after the grace get any time.
  if (loop.graceOver || view.state !== 'open') scope.cancel();
}

/** Ended, nothing open, nothing waiting. */
function isOver({ view, openRuns, inbox }: SessionLoop): boolean {
  return view !== null && view.state !== 'open' && openRuns.size === 0 && inbox.isEmpty() && allHandlersFinished();
}

/** Waits for the next input; I7: while idle, a long history is left behind first. */
async function rest(loop: SessionLoop): Promise<void> {
  const { view, openRuns, owner, scheduled } = loop;
  if (view !== null && openRuns.size === 0 && workflowInfo().continueAsNewSuggested && allHandlersFinished()) {
    loop.timers.clear();
    await continueAsNew<typeof session>({ kind: 'resume', sessionId: view.sessionId, owner, scheduled });
  }
  await loop.inbox.filled();
}
