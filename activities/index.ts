/**
 * What a session's workflow does outside itself. All but the last are local activities of one repeatable
 * transaction each; the row decides under its lock, and the answer is the gate as it is afterwards.
 */
import { activityInfo } from '@temporalio/activity';
import type { SessionId } from '../src/domain/ids.ts';
import type { ReconcileReport } from '../src/domain/reconcile.ts';
import type { Session } from '../src/domain/session.ts';
import type {
  CloseOrder,
  ContinueOrder,
  CreateOrder,
  EndAndContinueOrder,
  EndRunOrder,
  OwnedSession,
  SessionView,
  TransitionAnswer,
} from '../src/domain/transition.ts';
import type { Changes, Failpoints, OnCommitted, RunObserver, Transitions } from '../src/sessions/ports.ts';

export interface ActivityDeps {
  readonly transitions: Transitions;
  readonly changes: Pick<Changes, 'publish'>;
  readonly observer: Pick<RunObserver, 'isServed'>;
  readonly failpoints: Failpoints;
  readonly apiUrl: string;
  readonly closeGraceSeconds: number;
  /** Bound to its parts where they are made. */
  readonly repairSessions: (cursor: SessionId | null) => Promise<ReconcileReport>;
}

export type Answer = SessionView | { readonly kind: 'gone' };

export interface Activities {
  persistSession(order: CreateOrder): Promise<Answer>;
  adoptSession(order: OwnedSession): Promise<Answer>;
  lookAtSession(order: OwnedSession): Promise<Answer>;
  lookAtLabels(order: OwnedSession): Promise<Answer>;
  triggerRun(order: ContinueOrder): Promise<Answer>;
  recordRunEnd(order: EndRunOrder): Promise<Answer>;
  handOverRun(order: EndAndContinueOrder): Promise<Answer>;
  closeSession(order: CloseOrder): Promise<Answer>;
  expireSession(order: OwnedSession): Promise<Answer>;
  /** The first queue that somebody polls, else the last. */
  chooseTaskQueue(candidates: readonly [string, ...string[]]): Promise<string>;
  /** One round of the reconciler. */
  repairSessions(cursor: SessionId | null): Promise<ReconcileReport>;
}

export function createActivities(deps: ActivityDeps): Activities {
  const { transitions } = deps;
  const transition =
    <Order>(name: string, apply: (order: Order, onCommitted: OnCommitted) => Promise<TransitionAnswer>) =>
    async (order: Order): Promise<Answer> => {
      await deps.failpoints.hit(`${name}:before`);
      let committed: Session | undefined;
      const answer = await apply(order, (session) => {
        committed = session;
      });
      await deps.failpoints.hit(`${name}:after`);
      if (answer.kind === 'gone') return answer;
      // Whoever waits for this row looks at it now; a lost notification only costs a poll tick.
      const { workflowExecution } = activityInfo();
      if (workflowExecution !== undefined) deps.changes.publish(workflowExecution.workflowId, committed);
      // The caller's answer leaves before what the workflow is told is put into bytes: 0.25 ms.
      await new Promise<void>((resolve) => setImmediate(resolve));
      return { ...answer, apiUrl: deps.apiUrl, closeGraceSeconds: deps.closeGraceSeconds };
    };
  return {
    persistSession: transition('persistSession', transitions.create),
    adoptSession: transition('adoptSession', transitions.adopt),
    lookAtSession: transition('lookAtSession', transitions.look),
    lookAtLabels: transition('lookAtLabels', transitions.lookAtLabels),
    triggerRun: transition('triggerRun', transitions.continueRun),
    recordRunEnd: transition('recordRunEnd', transitions.endRun),
    handOverRun: transition('handOverRun', transitions.endAndContinue),
    closeSession: transition('closeSession', transitions.close),
    expireSession: transition('expireSession', transitions.expire),
    chooseTaskQueue: (candidates) => chooseTaskQueue(deps.observer, candidates),
    repairSessions: deps.repairSessions,
  };
}

async function chooseTaskQueue(
  observer: ActivityDeps['observer'],
  candidates: readonly [string, ...string[]],
): Promise<string> {
  for (const taskQueue of candidates.slice(0, -1)) if (await observer.isServed(taskQueue)) return taskQueue;
  return candidates.at(-1) ?? candidates[0];
}
