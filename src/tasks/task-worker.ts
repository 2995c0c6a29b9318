/** A process that takes runs from Temporal and executes the functions of tasks for them. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { defer } from './deferred.ts';
import type { Task } from './define-task.ts';
import { pollQueues } from './poll-queues.ts';
import { processSignals } from './process-signals.ts';
import { type AttemptSettings, runAttempt } from './run-attempt.ts';
import { logOfSdk } from './sdk-log.ts';
import type { WorkerLog } from './task-log.ts';
import { readWorkerSettings, type TaskWorkerOptions, type WorkerSettings } from './worker-settings.ts';

export interface StartTaskWorkerOptions extends TaskWorkerOptions {
  /** Default: the log of Temporal's SDK, which writes to standard error. A pino logger fits. */
  readonly log?: WorkerLog | undefined;
  /** Stops the worker, as `stop` does; also while it still tries to reach Temporal. Default: SIGTERM and SIGINT do. */
  readonly signal?: AbortSignal | undefined;
}

export interface TaskWorker {
  /** The Temporal task queues that it polls. */
  readonly queues: readonly string[];
  /** Settles when it has stopped; rejects if that was for a fault that trying again cannot mend. */
  readonly stopped: Promise<void>;
  /**
   * Takes no more runs and lets those in hand go on for `shutdownGraceMs`; then their signals fire and
   * they are handed to other workers. Resolves when all have ended, at the latest some ten seconds later.
   */
  stop(): Promise<void>;
}

/**
 * Resolves when the worker takes runs. Until then, and whenever Temporal is lost later, it tries again for
 * ever and says so in its log.
 * @throws InvalidWorkerOptions
 */
export async function startTaskWorker(options: StartTaskWorkerOptions): Promise<TaskWorker> {
  const settings = readWorkerSettings(options, process.env);
  const log = options.log ?? logOfSdk();
  if (options.signal !== undefined) return await startWorker(settings, log, options.signal);
  const signals = processSignals();
  try {
    const worker = await startWorker(settings, log, signals.signal);
    worker.stopped.finally(signals.release).catch(() => undefined);
    return worker;
  } catch (error) {
    signals.release();
    throw error;
  }
}

/** As `startTaskWorker`, with settings that have been read. */
export async function startWorker(settings: WorkerSettings, log: WorkerLog, signal: AbortSignal): Promise<TaskWorker> {
  const stopping = new AbortController();
  const polling = defer();
  const stopped = pollQueues({
    settings,
    activities: activitiesOf(settings, log),
    log,
    onPolling: polling.resolve,
    signal: AbortSignal.any([stopping.signal, signal]),
  });
  await Promise.race([polling.promise, stopped]);
  return {
    queues: [...settings.queues.keys()],
    stopped,
    stop: () => {
      stopping.abort();
      return stopped;
    },
  };
}

type Activity = (input: unknown) => Promise<unknown>;

function activitiesOf(settings: WorkerSettings, log: WorkerLog): ReadonlyMap<string, Activity> {
  const attemptSettings: AttemptSettings = { secretKey: settings.secretKey, apiUrl: settings.apiUrl, log };
  return new Map([...settings.tasks].map(([id, task]) => [id, activityOf(task, attemptSettings)]));
}

function activityOf(task: Task, settings: AttemptSettings): Activity {
  return async (input) => {
    const { info, cancellationSignal, heartbeat } = Context.current();
    // The SDK gives what nobody serves to an activity named `default`, which is also a possible task id.
    if (info.activityType !== task.id)
      throw ApplicationFailure.retryable(`task ${info.activityType} is not served here`);
    const attempt = { input, number: info.attempt, cancellation: cancellationSignal, heartbeat: () => heartbeat() };
    return await runAttempt(task, attempt, settings);
  };
}
