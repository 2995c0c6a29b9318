/** The workflow without its timers: only a session that expires or has ended shows the difference. */
import type { WorkflowInterceptors } from '@temporalio/workflow';
import { session } from '../../../workflows/session.ts';

export { session };

export const interceptors = (): WorkflowInterceptors => ({
  outbound: [{ startTimer: () => new Promise<never>(() => undefined) }],
});
