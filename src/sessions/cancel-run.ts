/** POST /api/v2/runs/{run}/cancel: the order is durable once Temporal has it; the answer waits a little for the row. */
import { fail, type Result, succeed, Unavailable } from '../domain/failure.ts';
import type { Environment, RunId } from '../domain/ids.ts';
import { cancelAnswerDeadlineMs } from '../domain/limits.ts';
import { isFinal } from '../domain/run.ts';
import { awaitRow } from './await-row.ts';
import { addressOf } from './create-session.ts';
import type { Changes, RunStore, SessionOrders, SessionStore } from './ports.ts';

export interface CancelRunDeps {
  readonly sessions: SessionStore;
  readonly runs: RunStore;
  readonly orders: SessionOrders;
  readonly changes: Changes;
}

export async function cancelRun(
  deps: CancelRunDeps,
  address: { readonly environment: Environment; readonly runId: RunId },
): Promise<Result<{ readonly id: RunId }>> {
  const { environment, runId } = address;
  const run = await deps.runs.find(environment.id, runId);
  if (run === null) return fail({ code: 'run_not_found' });
  if (isFinal(run.status)) return succeed({ id: runId });
  const session = await deps.sessions.findById(environment.id, run.sessionId);
  if (session === null) throw new Error(`run ${runId} has no session`);
  try {
    await awaitRow(deps.changes, {
      workflowId: run.workflowId,
      deadlineMs: cancelAnswerDeadlineMs,
      send: () => deps.orders.cancelRun(addressOf(environment, session), runId),
      async read() {
        const now = await deps.runs.find(environment.id, runId);
        return now !== null && isFinal(now.status) ? now : null;
      },
    });
  } catch (thrown) {
    // Temporal has the order: a task that takes its time to stop, or a worker that is away, does not undo it.
    if (!(thrown instanceof Unavailable && thrown.part === 'session worker')) throw thrown;
  }
  return succeed({ id: runId });
}
