/**
 * One Temporal worker per task queue over one connection, kept alive until told to stop. Temporal may be
 * down at the start or refuse us later: then everything is shut, and built anew after a pause that grows.
 * A connection that merely breaks is mended by the SDK itself.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { IllegalStateError } from '@temporalio/common';
import { NativeConnection, Worker } from '@temporalio/worker';
import {
  connectTimeoutMs,
  heartbeatIntervalMs,
  reconnectFirstMs,
  reconnectMaxMs,
  stopGraceMs,
  taskPollsMax,
} from '../domain/limits.ts';
import { defer } from './deferred.ts';
import type { TaskLog } from './task-log.ts';
import type { WorkerSettings } from './worker-settings.ts';

export interface Polling {
  readonly settings: WorkerSettings;
  /** Activity type -> its function. */
  readonly activities: ReadonlyMap<string, (input: unknown) => Promise<unknown>>;
  readonly log: TaskLog;
  /** Called each time all queues are polled, also after Temporal was lost. */
  readonly onPolling: () => void;
  /** Starts the shutdown. */
  readonly signal: AbortSignal;
}

/** Attempts have ended `stopGraceMs` after their signal; what still runs then is our fault and is left behind. */
const forceMarginMs = 5_000;

/** Resolves after a shutdown, ours or that of the process (the SDK's runtime listens to its signals). */
export async function pollQueues(polling: Polling): Promise<void> {
  const { log, signal, settings } = polling;
  let pauseMs = reconnectFirstMs;
  const onPolling = (): void => {
    pauseMs = reconnectFirstMs;
    polling.onPolling();
  };
  while (!signal.aborted) {
    try {
      await pollOnce({ ...polling, onPolling });
      return;
    } catch (err) {
      // Wrong options, not a server in trouble.
      if (err instanceof TypeError || err instanceof IllegalStateError) throw err;
      log.warn({ err, address: settings.address, retryInMs: pauseMs }, 'Temporal cannot be used; trying again');
    }
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, reconnectMaxMs);
  }
}

interface RunningWorker {
  readonly worker: Worker;
  readonly stopped: Promise<void>;
}

/** Resolves after a shutdown; throws when a worker failed. Leaves nothing open either way. */
async function pollOnce(polling: Polling): Promise<void> {
  const { settings, signal } = polling;
  const connection = await connect(settings, signal);
  if (connection === null) return;
  const running: RunningWorker[] = [];
  const told = untilTold(signal);
  try {
    for (const [taskQueue, taskIds] of settings.queues) {
      const worker = await createWorker(polling, { connection, taskQueue, taskIds });
      const stopped = worker.run();
      // Read below; one that fails while the next is being made must not count as unhandled.
      stopped.catch(() => undefined);
      running.push({ worker, stopped });
    }
    polling.onPolling();
    await Promise.race([told.wait, ...running.map(({ stopped }) => stopped)]);
  } finally {
    told.release();
    await shutDown(running, polling.log);
    await connection.close();
  }
}

/** Null: told to stop before the connection stood. */
async function connect(settings: WorkerSettings, signal: AbortSignal): Promise<NativeConnection | null> {
  const connecting = NativeConnection.connect({
    address: settings.address,
    ...(settings.apiKey === null ? {} : { apiKey: settings.apiKey }),
    tls: typeof settings.tls === 'boolean' ? settings.tls : { clientCertPair: certPair(settings.tls) },
  });
  const told = untilTold(signal, connectTimeoutMs);
  const connection = await Promise.race([connecting, told.wait]).finally(told.release);
  if (connection !== undefined) return connection;
  // It may still come to stand after we have gone.
  connecting.then((late) => late.close()).catch(() => undefined);
  if (signal.aborted) return null;
  throw new Error(`no connection within ${connectTimeoutMs} ms`);
}

const certPair = (pem: { readonly cert: string; readonly key: string }) => ({
  crt: Buffer.from(pem.cert),
  key: Buffer.from(pem.key),
});

interface ServedQueue {
  readonly connection: NativeConnection;
  readonly taskQueue: string;
  readonly taskIds: readonly string[];
}

function createWorker({ settings, activities }: Polling, queue: ServedQueue): Promise<Worker> {
  return Worker.create({
    connection: queue.connection,
    namespace: settings.namespace,
    taskQueue: queue.taskQueue,
    activities: Object.fromEntries(queue.taskIds.map((id) => [id, activities.get(id)])),
    maxConcurrentActivityTaskExecutions: settings.maxConcurrentRuns,
    // Each open poll of a worker that is paused, or cut off without a word, swallows one attempt of some run: with
    // the SDK's ten, a run lost all its attempts to a worker that was not there.
    activityTaskPollerBehavior: { type: 'autoscaling', minimum: 1, initial: 1, maximum: taskPollsMax },
    // Else a beat leaves only every 2.4 s, and a cancellation, which travels in its answer, is as slow.
    maxHeartbeatThrottleInterval: heartbeatIntervalMs,
    defaultHeartbeatThrottleInterval: heartbeatIntervalMs,
    shutdownGraceTime: settings.shutdownGraceMs,
    shutdownForceTime: settings.shutdownGraceMs + stopGraceMs + forceMarginMs,
  });
}

async function shutDown(running: readonly RunningWorker[], log: TaskLog): Promise<void> {
  for (const { worker } of running) {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  }
  const ends = await Promise.allSettled(running.map(({ stopped }) => stopped));
  for (const end of ends) {
    if (end.status === 'rejected') log.warn({ err: end.reason }, 'a task queue was left before its runs had ended');
  }
}

interface Told {
  readonly wait: Promise<undefined>;
  readonly release: () => void;
}

/** Resolves when the signal fires or the time is up. Released after use: the signal lives as long as the process. */
function untilTold(signal: AbortSignal, timeoutMs?: number): Told {
  const { promise: wait, resolve } = defer();
  const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', resolve, { once: true });
  const release = (): void => {
    clearTimeout(timer);
    signal.removeEventListener('abort', resolve);
  };
  return { wait, release };
}
