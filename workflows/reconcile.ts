/** One round of the reconciler, started by a Schedule; its result is where the next round goes on. */
import { proxyLocalActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { ReconcileReport } from '../src/domain/reconcile.ts';

const { repairSessions } = proxyLocalActivities<Pick<Activities, 'repairSessions'>>({
  startToCloseTimeout: '20s',
  // The next round is the retry.
  retry: { maximumAttempts: 1 },
});

export async function reconcile(): Promise<ReconcileReport> {
  const last = workflowInfo().lastResult as ReconcileReport | undefined;
  return repairSessions(last?.cursor ?? null);
}
