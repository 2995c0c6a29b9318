/** The workflow without its timers: only a session that expires or has ended shows the difference. */
import type { WorkflowInterceptors } from '@temporalio/workflow';

export { reconcile, session } from '../../../workflows/index.ts';

export const interceptors = (): WorkflowInterceptors => ({
  outbound: [{ startTimer: () => new Promise<never>(() => undefined) }],
});
