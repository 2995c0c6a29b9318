/** The command `perdure tasks FILE...`: serves what the files export until the process is told to stop. */
import { readFile } from 'node:fs/promises';
import type { Machine } from '../domain/trigger-config.ts';
import { importTaskFiles } from './import-task-files.ts';
import { processSignals } from './process-signals.ts';
import { sendSdkLogTo } from './sdk-log.ts';
import type { WorkerLog } from './task-log.ts';
import { startWorker } from './task-worker.ts';
import {
  InvalidWorkerOptions,
  readWorkerSettings,
  type TaskWorkerOptions,
  type TemporalOptions,
} from './worker-settings.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Resolves when the worker has stopped after SIGTERM or SIGINT. Code of a task that ignored its signal may
 * then still be running: the caller ends the process.
 * @param variables TRIGGER_SECRET_KEY, TRIGGER_API_URL, TEMPORAL_* as for the server, and TASK_QUEUE,
 *   TASK_VERSION, TASK_MACHINE, TASK_REGION, TASK_MAX_CONCURRENT_RUNS, TASK_SHUTDOWN_GRACE_SECONDS
 * @throws InvalidWorkerOptions, or an error that names the file that cannot be served
 */
export async function serveTaskFiles(files: readonly string[], variables: Variables, log: WorkerLog): Promise<void> {
  sendSdkLogTo(log);
  const { signal, release } = processSignals();
  signal.addEventListener(
    'abort',
    () => log.info('no more runs are taken; those in hand are finished or handed over'),
    {
      once: true,
    },
  );
  try {
    const tasks = await importTaskFiles(files);
    const settings = readWorkerSettings({ ...(await optionsOf(variables)), tasks }, variables);
    const worker = await startWorker(settings, log, signal);
    if (!signal.aborted) announce([...settings.tasks.keys()], worker.queues, log);
    await worker.stopped;
    log.info('tasks stopped');
  } finally {
    release();
  }
}

function announce(tasks: readonly string[], queues: readonly string[], log: WorkerLog): void {
  log.info({ tasks, queues }, `tasks ready: ${tasks.join(', ')} on ${queues.join(', ')}`);
}

async function optionsOf(variables: Variables): Promise<Omit<TaskWorkerOptions, 'tasks'>> {
  const read = (name: string): string | undefined => (variables[name] === '' ? undefined : variables[name]);
  const graceSeconds = numberOf('TASK_SHUTDOWN_GRACE_SECONDS', read('TASK_SHUTDOWN_GRACE_SECONDS'));
  return {
    temporal: { tls: await tlsOf(read) },
    queue: read('TASK_QUEUE'),
    version: read('TASK_VERSION'),
    machine: read('TASK_MACHINE') as Machine | undefined,
    region: read('TASK_REGION'),
    maxConcurrentRuns: numberOf('TASK_MAX_CONCURRENT_RUNS', read('TASK_MAX_CONCURRENT_RUNS')),
    shutdownGraceMs: graceSeconds === undefined ? undefined : graceSeconds * 1_000,
  };
}

async function tlsOf(read: (name: string) => string | undefined): Promise<TemporalOptions['tls']> {
  const certFile = read('TEMPORAL_TLS_CERT_FILE');
  const keyFile = read('TEMPORAL_TLS_KEY_FILE');
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new InvalidWorkerOptions(['TEMPORAL_TLS_CERT_FILE, TEMPORAL_TLS_KEY_FILE: give both or neither']);
  }
  if (certFile !== undefined && keyFile !== undefined) {
    return { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') };
  }
  const tls = read('TEMPORAL_TLS');
  return tls === undefined ? undefined : tls === 'true';
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new InvalidWorkerOptions([`${name}: expected a whole number, got ${text}`]);
  return Number(text);
}
