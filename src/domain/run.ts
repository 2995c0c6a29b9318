/** One execution of a task that serves a session. Its row holds the order, then the outcome. */
import type { RunId } from './ids.ts';
import { maxAttemptsDefault } from './limits.ts';
import type { JsonObject, JsonValue, RunOptions } from './trigger-config.ts';

/** Why a run was triggered (protocol section 7.1). */
export type RunReason = 'initial' | 'continuation' | 'upgrade' | 'manual';

/** What callers say of a hand-over is free text; only an upgrade means something. */
export const handOverReason = (text: string): RunReason => (text === 'upgrade' ? 'upgrade' : 'manual');

export const finalRunStatuses = [
  'COMPLETED',
  'CANCELED',
  'FAILED',
  'CRASHED',
  'SYSTEM_FAILURE',
  'EXPIRED',
  'TIMED_OUT',
] as const;
export type FinalRunStatus = (typeof finalRunStatuses)[number];
/** The row says QUEUED until the outcome is known; claims and Temporal say what happens in between. */
export type StoredRunStatus = 'QUEUED' | FinalRunStatus;
/** What a caller may be shown (protocol section 8.3). */
export type RunStatus = StoredRunStatus | 'PENDING_VERSION' | 'EXECUTING';

export function isFinal(status: RunStatus): status is FinalRunStatus {
  return (finalRunStatuses as readonly string[]).includes(status);
}

/** Serialised error of a run (protocol section 8.3, `error`). */
export interface RunError {
  readonly name: string;
  readonly message: string;
  readonly stackTrace?: string;
}

/** How a run ended, as the workflow saw its activity end. Plain JSON: it crosses Temporal. */
export type RunOutcome =
  | { readonly status: 'COMPLETED'; readonly output: JsonValue }
  | { readonly status: Exclude<FinalRunStatus, 'COMPLETED'>; readonly error: RunError | null };

/** Characters kept of an error's message and stack: a worker may send megabytes, a row keeps what helps. */
const errorTextMax = 10_000;

export function boundedRunError(error: RunError): RunError {
  return {
    name: error.name.slice(0, 256),
    message: error.message.slice(0, errorTextMax),
    ...(error.stackTrace === undefined ? {} : { stackTrace: error.stackTrace.slice(0, errorTextMax) }),
  };
}

/**
 * A run that crashed may have died before it read a record that was written before it began; one that
 * ended by its own decision has seen everything up to its claim (lifecycle section 2, `crashed`).
 */
export function isCrash(status: FinalRunStatus): boolean {
  switch (status) {
    case 'CRASHED':
    case 'SYSTEM_FAILURE':
    case 'TIMED_OUT':
    case 'EXPIRED':
      return true;
    case 'COMPLETED':
    case 'CANCELED':
    case 'FAILED':
      return false;
  }
}

/** A worker that never claims (a plain Temporal worker) still ran the task if it answered for it. */
export const endedByItself = (status: FinalRunStatus): boolean => status === 'COMPLETED' || status === 'FAILED';

/** Everything that the workflow needs to schedule a run; read from the row, so a redone task schedules the same. */
export interface RunOrder {
  readonly id: RunId;
  readonly number: number;
  readonly reason: RunReason;
  readonly taskIdentifier: string;
  readonly payload: JsonObject;
  readonly options: RunOptions;
}

/** One line in Temporal UI: task, why, and how many attempts it may take. */
export function runSummary(run: RunOrder): string {
  const attempts = run.options.maxAttempts ?? maxAttemptsDefault;
  return `run ${run.number} of ${run.taskIdentifier.slice(0, 60)}: ${run.reason}, up to ${attempts} attempt${attempts === 1 ? '' : 's'}`;
}
