/** A run is one activity of the session's workflow, on the customer's task queue (architecture section 4). */
import {
  ActivityCancellationType,
  ActivityFailure,
  type ActivityOptions,
  ApplicationFailure,
  CancelledFailure,
  proxyActivities,
  TimeoutFailure,
} from '@temporalio/workflow';
import { attemptFailureType } from '../src/domain/attempt-failure.ts';
import {
  attemptDurationDefaultSeconds,
  heartbeatTimeoutMs,
  maxAttemptsDefault,
  maxDurationSlackMs,
  retryDelayFirstMs,
  retryDelayMaxMs,
} from '../src/domain/limits.ts';
import { boundedRunError, type RunOrder, type RunOutcome, runSummary } from '../src/domain/run.ts';
import { claimPath, type RunInput } from '../src/domain/run-input.ts';
import { fairnessKeyOf } from '../src/domain/task-queue.ts';
import type { SessionView } from '../src/domain/transition.ts';
import type { JsonValue } from '../src/domain/trigger-config.ts';

type TaskActivities = Record<string, (input: RunInput) => Promise<JsonValue>>;

/** Runs the task to its end, through all attempts; never throws. */
export async function runTask(view: SessionView, run: RunOrder, taskQueue: string): Promise<RunOutcome> {
  try {
    const activities = proxyActivities<TaskActivities>(activityOptions(run, taskQueue));
    const output = await activities[run.taskIdentifier]?.(runInput(view, run));
    return { status: 'COMPLETED', output: output ?? null };
  } catch (thrown) {
    return failedOutcome(thrown instanceof ActivityFailure ? thrown.cause : thrown);
  }
}

function activityOptions(run: RunOrder, taskQueue: string): ActivityOptions {
  const { maxAttempts, maxDuration, ttlSeconds, concurrencyKey } = run.options;
  return {
    activityId: run.id,
    taskQueue,
    heartbeatTimeout: heartbeatTimeoutMs,
    // Our own workers end the attempt at the claim's deadline and get their grace; this ends those that do not.
    startToCloseTimeout: (maxDuration ?? attemptDurationDefaultSeconds) * 1000 + maxDurationSlackMs,
    ...(ttlSeconds === undefined ? {} : { scheduleToStartTimeout: ttlSeconds * 1000 }),
    retry: {
      maximumAttempts: maxAttempts ?? maxAttemptsDefault,
      initialInterval: retryDelayFirstMs,
      backoffCoefficient: 2,
      maximumInterval: retryDelayMaxMs,
      // The server's name for an attempt that outlived `maxDuration`: the cap is the run's, so no second attempt.
      nonRetryableErrorTypes: ['TemporalTimeout:StartToClose'],
    },
    // The run ends when its worker says so: until then the session has no other (I1).
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary: runSummary(run),
    ...(concurrencyKey === undefined ? {} : { priority: { fairnessKey: fairnessKeyOf(concurrencyKey) } }),
  };
}

function runInput(view: SessionView, run: RunOrder): RunInput {
  return {
    run: { id: run.id, number: run.number, reason: run.reason },
    session: { id: view.sessionId, externalId: view.externalId, key: view.externalId ?? view.sessionId },
    payload: run.payload,
    tags: run.options.tags,
    maxDuration: run.options.maxDuration ?? null,
    idleTimeoutInSeconds: run.options.idleTimeoutInSeconds ?? null,
    api: { url: view.apiUrl, claim: claimPath(run.id) },
  };
}

function failedOutcome(cause: unknown): RunOutcome {
  if (cause instanceof CancelledFailure) return { status: 'CANCELED', error: null };
  if (cause instanceof TimeoutFailure) return timeoutOutcome(cause);
  if (cause instanceof ApplicationFailure) return applicationOutcome(cause);
  const error = cause instanceof Error ? cause : new Error(String(cause));
  return { status: 'FAILED', error: boundedRunError({ name: error.name, message: error.message }) };
}

function timeoutOutcome(cause: TimeoutFailure): RunOutcome {
  return {
    status: timeoutStatus[cause.timeoutType ?? 'HEARTBEAT'],
    error: { name: 'TimeoutFailure', message: cause.message },
  };
}

const timeoutStatus = {
  SCHEDULE_TO_START: 'EXPIRED',
  HEARTBEAT: 'CRASHED',
  START_TO_CLOSE: 'TIMED_OUT',
  SCHEDULE_TO_CLOSE: 'TIMED_OUT',
} as const satisfies Record<string, RunOutcome['status']>;

/** The row has decided: the session ended, or another attempt or run is current. */
const refusals: ReadonlySet<unknown> = new Set([attemptFailureType.claimRefused, attemptFailureType.attemptSuperseded]);

/** An attempt that its worker or our API broke off says nothing about the task: the run counts as crashed. */
const brokenOff: ReadonlySet<unknown> = new Set([
  attemptFailureType.claimUnanswered,
  attemptFailureType.sessionUnreachable,
  attemptFailureType.workerShutdown,
]);

function applicationOutcome(cause: ApplicationFailure): RunOutcome {
  if (refusals.has(cause.type)) return { status: 'CANCELED', error: null };
  const error = boundedRunError({
    name: cause.type ?? cause.name,
    message: cause.message,
    ...(cause.stack === undefined ? {} : { stackTrace: cause.stack }),
  });
  return { status: applicationStatus(cause.type), error };
}

function applicationStatus(type: string | undefined | null): 'TIMED_OUT' | 'CRASHED' | 'FAILED' {
  if (type === attemptFailureType.maxDurationExceeded) return 'TIMED_OUT';
  return brokenOff.has(type) ? 'CRASHED' : 'FAILED';
}
