/** A run's outcome comes from its row; what happens before that, Temporal is asked about. */
import type { Environment, RunId } from '../domain/ids.ts';
import { endedByItself, isFinal, type RunStatus } from '../domain/run.ts';
import { isPendingVersion } from './pending-version.ts';
import type { Run, RunObserver, RunStore } from './ports.ts';

export interface RunView {
  readonly run: Run;
  readonly status: RunStatus;
  /** Attempts started so far. */
  readonly attemptCount: number;
}

export interface RunDeps {
  readonly runs: RunStore;
  readonly observer: RunObserver;
}

export async function retrieveRun(
  deps: RunDeps,
  address: { environment: Environment; runId: RunId },
): Promise<RunView | null> {
  const run = await deps.runs.find(address.environment.id, address.runId);
  if (run === null) return null;
  const { status, attempts } = run;
  // A worker that never claims leaves no count; one that answered has made at least one attempt.
  if (isFinal(status)) return { run, status, attemptCount: Math.max(attempts, endedByItself(status) ? 1 : 0) };
  const pending = await deps.observer.pendingRun(run.workflowId, run.id);
  const attemptCount = Math.max(attempts, pending?.attempts ?? 0);
  const executing = pending === null ? attempts > 0 : pending.state === 'executing';
  if (executing) return { run, status: 'EXECUTING', attemptCount };
  const { taskIdentifier, options } = run;
  const parked = await isPendingVersion(deps.observer, {
    environment: address.environment.name,
    taskIdentifier,
    options,
  });
  return { run, status: parked ? 'PENDING_VERSION' : 'QUEUED', attemptCount };
}
