/** What only Temporal knows: whether a run's attempt is with a worker, and whether a task queue has one. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import proto from '@temporalio/proto';
import { Unavailable } from '../domain/failure.ts';
import { describeDeadlineMs, pollersCacheEntriesMax, pollersCacheMs } from '../domain/limits.ts';
import { RecentMap } from '../recent-map.ts';
import type { OwnerObserver, PendingRun, RunObserver } from '../sessions/ports.ts';
import { callTemporal } from './connect.ts';

const { PendingActivityState, TaskQueueType } = proto.temporal.api.enums.v1;

/** For the reconciler: the truth about one execution, or `Unavailable`; never a guess. */
export function temporalOwnerObserver(client: Client): OwnerObserver {
  return {
    async executes({ workflowId, owner, runIds }) {
      try {
        const { raw, status } = await callTemporal(client, describeDeadlineMs, () =>
          client.workflow.getHandle(workflowId).describe(),
        );
        if (status.name !== 'RUNNING' || raw.workflowExecutionInfo?.firstRunId !== owner) return false;
        const pending = new Set(raw.pendingActivities?.map(({ activityId }) => activityId));
        return runIds.every((runId) => pending.has(runId));
      } catch (thrown) {
        if (thrown instanceof WorkflowNotFoundError) return false;
        throw thrown instanceof Unavailable ? thrown : new Unavailable('temporal', thrown);
      }
    },
  };
}

export function temporalRunObserver(client: Client, namespace: string): RunObserver {
  /** Queue names come from callers. */
  const polled = new RecentMap<string, { served: boolean; until: number }>(pollersCacheEntriesMax);
  return {
    pendingRun: (workflowId, runId) =>
      quietly(() => callTemporal(client, describeDeadlineMs, () => describeRun(client, workflowId, runId)), null),
    async isServed(taskQueue) {
      const known = polled.get(taskQueue);
      if (known !== undefined && known.until > Date.now()) return known.served;
      const served = await quietly(
        () => callTemporal(client, describeDeadlineMs, () => hasPollers(client, namespace, taskQueue)),
        false,
      );
      polled.set(taskQueue, { served, until: Date.now() + pollersCacheMs });
      return served;
    },
  };
}

async function describeRun(client: Client, workflowId: string, runId: string): Promise<PendingRun | null> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  const activity = raw.pendingActivities?.find((pending) => pending.activityId === runId);
  if (activity === undefined) return null;
  const attempt = activity.attempt ?? 1;
  // A scheduled activity's attempt is the one that will start next.
  return activity.state === PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    ? { state: 'queued', attempts: attempt - 1 }
    : { state: 'executing', attempts: attempt };
}

async function hasPollers(client: Client, namespace: string, taskQueue: string): Promise<boolean> {
  const described = await client.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
  });
  return (described.pollers ?? []).length > 0;
}

/** These answers are a courtesy on a read: without them the row speaks alone. */
async function quietly<Value>(ask: () => Promise<Value>, otherwise: Value): Promise<Value> {
  try {
    return await ask();
  } catch {
    return otherwise;
  }
}
