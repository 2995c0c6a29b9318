/**
 * One attempt of one run, from its first heartbeat to its outcome.
 *
 * Order: heartbeat, before anything that can take time; claim, before anything that has an effect; then
 * the task's parser and function, raced against the grace that follows a stop. Once a stop has fired, its
 * reason is the outcome, and what the function still returns or throws is ignored.
 */
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { attemptFailureType } from '../domain/attempt-failure.ts';
import { heartbeatIntervalMs } from '../domain/limits.ts';
import type { RunInput } from '../domain/run-input.ts';
import type { JsonValue } from '../domain/trigger-config.ts';
import { finalFailure, passingFailure, taskFailure } from './attempt-failure.ts';
import { claimRun, type GrantedClaim } from './claim-run.ts';
import { acceptPayload, type Task } from './define-task.ts';
import { readRunInput } from './read-run-input.ts';
import { serialiseOutput } from './serialise-output.ts';
import { openRunSession, type RunSession } from './session/run-session.ts';
import { type Stop, type StopReason, watchForStop } from './stop.ts';
import type { TaskLog, WorkerLog } from './task-log.ts';

/** What Temporal gives to an attempt. */
export interface Attempt {
  /** The activity's argument, unread. */
  readonly input: unknown;
  /** Counts from 1. */
  readonly number: number;
  /** Aborted with a `CancelledFailure` when the attempt has to end. */
  readonly cancellation: AbortSignal;
  readonly heartbeat: () => void;
}

/** What a worker gives to all attempts that it executes. */
export interface AttemptSettings {
  readonly secretKey: string;
  /** Replaces the server's URL in the run's input; null: the input's. */
  readonly apiUrl: string | null;
  readonly log: WorkerLog;
  readonly stopGraceMs?: number;
  readonly claimDeadlineMs?: number;
}

/** An attempt whose input has been read. */
interface ReadAttempt {
  readonly task: Task;
  readonly input: RunInput;
  readonly number: number;
  readonly settings: AttemptSettings;
  readonly stop: Stop;
  readonly log: TaskLog;
}

/** @throws a Temporal failure when the attempt ends without an output */
export async function runAttempt(task: Task, attempt: Attempt, settings: AttemptSettings): Promise<JsonValue> {
  attempt.heartbeat();
  const heartbeats = setInterval(attempt.heartbeat, heartbeatIntervalMs);
  const stop = watchForStop(attempt.cancellation, settings.stopGraceMs);
  try {
    const read = readRunInput(attempt.input);
    if (!read.ok) {
      settings.log.error({ task: task.id, attempt: attempt.number }, read.problem);
      throw finalFailure(attemptFailureType.invalidRunInput, read.problem);
    }
    const { input } = read;
    const bindings = { task: task.id, sessionId: input.session.id, runId: input.run.id, attempt: attempt.number };
    const log = settings.log.child(bindings);
    return await logged({ task, input, number: attempt.number, settings, stop, log });
  } finally {
    clearInterval(heartbeats);
    stop.release();
  }
}

async function logged(attempt: ReadAttempt): Promise<JsonValue> {
  const { log, stop } = attempt;
  log.info('attempt started');
  try {
    const output = await perform(attempt);
    log.info('attempt succeeded');
    return output;
  } catch (err) {
    const why = stop.why();
    if (why === null)
      log.warn({ err, failure: err instanceof ApplicationFailure ? err.type : undefined }, 'attempt failed');
    else log.info({ why }, 'attempt stopped');
    throw err;
  }
}

async function perform(attempt: ReadAttempt): Promise<JsonValue> {
  const { stop } = attempt;
  const claim = await claimOrThrow(attempt);
  if (claim.deadlineAtMs !== null) stop.stopAt(claim.deadlineAtMs);
  const early = stop.why();
  if (early !== null) throw stopFailure(early);

  const settled = await executeWithin(attempt, claim);
  const why = stop.why();
  if (settled.kind === 'left running') attempt.log.warn('the task ignored its signal and is left running');
  if (why !== null) throw stopFailure(why);
  if (settled.kind === 'threw') throw taskFailure(settled.thrown);
  const serialised = serialiseOutput(settled.kind === 'returned' ? settled.value : undefined);
  if (!serialised.ok) throw finalFailure(attemptFailureType.invalidOutput, serialised.problem);
  return serialised.output;
}

async function claimOrThrow({ input, number, settings, stop }: ReadAttempt): Promise<GrantedClaim> {
  const outcome = await claimRun({
    url: (settings.apiUrl ?? input.api.url) + input.api.claim,
    secretKey: settings.secretKey,
    attempt: number,
    signal: stop.signal,
    ...(settings.claimDeadlineMs === undefined ? {} : { deadlineMs: settings.claimDeadlineMs }),
  });
  const why = stop.why();
  if (why !== null) throw stopFailure(why);
  switch (outcome.kind) {
    case 'granted':
      return outcome.claim;
    case 'refused':
      throw finalFailure(attemptFailureType.claimRefused, outcome.problem);
    case 'unauthorized':
      throw finalFailure(attemptFailureType.claimUnauthorized, outcome.problem);
    case 'rejected':
      throw finalFailure(attemptFailureType.claimRejected, outcome.problem);
    case 'unanswered':
      throw passingFailure(attemptFailureType.claimUnanswered, outcome.problem);
  }
}

type Settled =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly thrown: unknown }
  | { readonly kind: 'left running' };

/** The task, and what its session still has to store for it, within the grace that follows a stop. */
async function executeWithin(attempt: ReadAttempt, claim: GrantedClaim): Promise<Settled> {
  const { input, settings, stop, log } = attempt;
  const opened = openRunSession({
    url: settings.apiUrl ?? input.api.url,
    input,
    claim,
    signal: stop.signal,
    onSuperseded: stop.supersede,
    log,
  });
  const finished = execute(attempt, opened.session)
    .then(async (value): Promise<Settled> => {
      await (stop.why() === null ? opened.finish() : opened.settle());
      return { kind: 'returned', value };
    })
    .catch(async (thrown: unknown): Promise<Settled> => {
      await opened.settle();
      return { kind: 'threw', thrown };
    });
  try {
    return await Promise.race([finished, stop.graceOver.then((): Settled => ({ kind: 'left running' }))]);
  } finally {
    opened.release();
  }
}

async function execute({ task, input, number, stop, log }: ReadAttempt, session: RunSession): Promise<unknown> {
  const start = await acceptPayload(task, input.payload).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    throw finalFailure(attemptFailureType.invalidPayload, message, error);
  });
  const { tags, maxDuration, idleTimeoutInSeconds } = input;
  return await start({
    session,
    run: { ...input.run, tags, maxDuration, idleTimeoutInSeconds },
    attempt: number,
    signal: stop.signal,
    log,
  });
}

/** A worker that takes over may begin at once: nothing has failed that a pause would mend. */
const handOverDelayMs = 100;

function stopFailure(why: StopReason): Error {
  switch (why) {
    case 'cancelled':
      return new CancelledFailure('CANCELLED');
    case 'lost':
      // Temporal has stopped listening, or knows what it paused or reset.
      return new CancelledFailure('LOST');
    case 'superseded':
      return finalFailure(
        attemptFailureType.attemptSuperseded,
        'another attempt or run serves the session now; what this attempt wrote after it was refused',
      );
    case 'max-duration':
      return finalFailure(attemptFailureType.maxDurationExceeded, "the run's maxDuration has passed");
    case 'worker-shutdown':
      return passingFailure(
        attemptFailureType.workerShutdown,
        'the worker was stopped before the task had ended',
        handOverDelayMs,
      );
  }
}
