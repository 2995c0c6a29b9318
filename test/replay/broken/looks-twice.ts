/** The workflow with a look at the row before each transition: the same activities, in another order. */
import { proxyLocalActivities, type WorkflowInterceptors } from '@temporalio/workflow';
import type { Activities } from '../../../activities/index.ts';

export { reconcile, session } from '../../../workflows/index.ts';

const { lookAtSession } = proxyLocalActivities<Pick<Activities, 'lookAtSession'>>({ startToCloseTimeout: '5s' });
const nobody = { sessionId: 'session_of_nobody', owner: { id: '', startedAtMs: 0 }, scheduled: 0 } as never;

export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      async scheduleLocalActivity(input, next) {
        if (input.activityType !== 'lookAtSession') await lookAtSession(nobody);
        return next(input);
      },
    },
  ],
});
