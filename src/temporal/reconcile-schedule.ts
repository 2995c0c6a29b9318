/** The Schedule that runs the reconciler. It lives in Temporal, so it is made anew when Temporal's store was lost. */
import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import { reconcileRoundTimeoutMs, scheduleCheckIntervalMs } from '../domain/limits.ts';
import { callTemporal } from './connect.ts';
import { sessionTaskQueue } from './session-orders.ts';

const scheduleId = 'perdure-reconcile';
const callDeadlineMs = 5_000;

export interface KeptSchedule {
  stop(): Promise<void>;
}

/** @param intervalMs between two rounds; every process asks for the same, and the first to ask decides */
export function keepReconcileSchedule(
  client: Client,
  intervalMs: number,
  onProblem: (cause: unknown) => void,
): KeptSchedule {
  const ensure = async () => {
    try {
      await callTemporal(client, callDeadlineMs, () => createSchedule(client, intervalMs));
    } catch (thrown) {
      if (!(thrown instanceof ScheduleAlreadyRunning)) onProblem(thrown);
    }
  };
  let ensuring = ensure();
  const timer = setInterval(() => {
    ensuring = ensuring.then(ensure);
  }, scheduleCheckIntervalMs);
  return {
    async stop() {
      clearInterval(timer);
      await ensuring;
    },
  };
}

const createSchedule = (client: Client, intervalMs: number) =>
  client.schedule.create({
    scheduleId,
    spec: { intervals: [{ every: intervalMs }] },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '10s' },
    action: {
      type: 'startWorkflow',
      workflowType: 'reconcile',
      workflowId: scheduleId,
      taskQueue: sessionTaskQueue,
      args: [],
      // Without a worker a round ends here, and the next one is due anyway.
      workflowExecutionTimeout: reconcileRoundTimeoutMs,
      staticSummary: 'compares rows with Temporal and repairs what was lost',
    },
  });
