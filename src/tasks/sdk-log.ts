/** Between our log and the one of Temporal's SDK, of which each process has one. */
import { IllegalStateError, type LogLevel, SdkComponent } from '@temporalio/common';
import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import type { TaskLog, WorkerLog } from './task-log.ts';

/** For a worker that was given no log: its lines go where the SDK's go, standard error by default. */
export function logOfSdk(bindings: Record<string, unknown> = {}): WorkerLog {
  const write = (level: LogLevel, first: object | string, second: string | undefined): void => {
    const [fields, message] = typeof first === 'string' ? [{}, first] : [first, second ?? ''];
    Runtime.instance().logger.log(level, message, { ...bindings, ...fields });
  };
  return {
    debug: (first: object | string, second?: string) => write('DEBUG', first, second),
    info: (first: object | string, second?: string) => write('INFO', first, second),
    warn: (first: object | string, second?: string) => write('WARN', first, second),
    error: (first: object | string, second?: string) => write('ERROR', first, second),
    child: (fields) => logOfSdk({ ...bindings, ...fields }),
  };
}

/**
 * For a process of our own: the SDK's lines go to our log, and its signal handling is off. Does nothing when
 * the process has set up the SDK before.
 */
export function sendSdkLogTo(log: TaskLog): void {
  try {
    Runtime.install({
      logger: new DefaultLogger('WARN', (entry) => writeEntry(log, entry)),
      telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
      shutdownSignals: [],
    });
  } catch (error) {
    if (!(error instanceof IllegalStateError)) throw error;
  }
}

function writeEntry(log: TaskLog, { level, message, meta }: LogEntry): void {
  if (level === 'ERROR') log.error({ ...meta }, message);
  // Its worker warns of every failed attempt, which we log ourselves, and of having no workflows, which is meant.
  else if (meta?.['sdkComponent'] !== SdkComponent.worker) log.warn({ ...meta }, message);
}
