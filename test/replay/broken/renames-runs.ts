/** The workflow with other ids for the activities of runs. */
import type { WorkflowInterceptors } from '@temporalio/workflow';

export { reconcile, session } from '../../../workflows/index.ts';

export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      scheduleActivity: (input, next) =>
        next({ ...input, options: { ...input.options, activityId: `again-${String(input.options.activityId)}` } }),
    },
  ],
});
