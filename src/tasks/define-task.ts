/** What a task author writes: a name, optionally a parser, and the function that one run executes. */

import { taskIdentifierLengthMax } from '../domain/limits.ts';
import type { RunInput } from '../domain/run-input.ts';
import type { JsonObject } from '../domain/trigger-config.ts';
import { type PayloadParser, parsePayload } from './parse-payload.ts';
import type { RunSession } from './session/run-session.ts';
import type { TaskLog } from './task-log.ts';

/** What the function of a task is told about the attempt that it serves. */
export interface RunContext {
  /** Who it is, and its streams: `session.in` to read, `session.out` to answer. */
  readonly session: RunSession;
  readonly run: RunInput['run'] & Pick<RunInput, 'tags' | 'maxDuration' | 'idleTimeoutInSeconds'>;
  /** Counts from 1; greater than 1 means that an earlier attempt of this run failed or was lost. */
  readonly attempt: number;
  /**
   * Fires when the attempt has to end: the run was cancelled, its `maxDuration` passed, or the worker is
   * being replaced, or another one has taken over. Its `reason` is an `AttemptStopped`. From then on the outcome is settled: the function
   * has ten seconds to tidy up, and what it returns or throws no longer counts.
   */
  readonly signal: AbortSignal;
  /** Writes structured lines that carry the task, the session, the run and the attempt. */
  readonly log: TaskLog;
}

export interface TaskDefinition<Payload, Output> {
  /** What sessions name as `taskIdentifier`: 1 to 128 characters. */
  readonly id: string;
  /** Without it the payload arrives as it was sent, whatever its declared type; a refusal fails the run at once. */
  readonly parse?: PayloadParser<Payload> | undefined;
  /**
   * One attempt of one run. Whatever it returns must be JSON below 1 MiB (`undefined` counts as `null`) and
   * becomes the run's output. What it throws fails the attempt, and the run is tried again up to its
   * `maxAttempts`; an `AbortRunError` ends the run at once. It can run more than once: see `attempt`.
   */
  readonly run: (payload: Payload, context: RunContext) => Output | Promise<Output>;
}

const taskBrand = Symbol.for('perdure.task');

/** A defined task. Opaque: hand it to `startTaskWorker`, or export it from a file for `perdure tasks`. */
export interface Task<Payload = unknown, Output = unknown> {
  readonly id: string;
  /** Only for types. */
  readonly types?: { readonly payload: Payload; readonly output: Output } | undefined;
  /** Parses the payload, throwing what the parser throws, and answers the function that runs the attempt. */
  readonly [taskBrand]: (payload: JsonObject) => Promise<(context: RunContext) => Promise<Output>>;
}

/** @throws TypeError when the id cannot be served */
export function defineTask<Payload = JsonObject, Output = unknown>(
  definition: TaskDefinition<Payload, Output>,
): Task<Payload, Output> {
  const { id, parse, run } = definition;
  if (typeof id !== 'string' || id.length < 1 || id.length > taskIdentifierLengthMax) {
    throw new TypeError(`a task's id has 1 to ${taskIdentifierLengthMax} characters: ${JSON.stringify(id)}`);
  }
  // Temporal keeps activity types with this prefix for itself and refuses a worker that registers one.
  if (id.startsWith('__temporal_')) throw new TypeError(`a task's id may not begin with __temporal_: ${id}`);
  if (typeof run !== 'function') throw new TypeError(`task ${id} has no run function`);
  return {
    id,
    [taskBrand]: async (payload) => {
      const parsed = parse === undefined ? (payload as Payload) : await parsePayload(parse, payload);
      return async (context) => await run(parsed, context);
    },
  };
}

/** Recognised by brand, not by class: a task file may load another copy of this module than the worker. */
export function isTask(value: unknown): value is Task {
  return typeof value === 'object' && value !== null && taskBrand in value;
}

/** Rejects with what the task's parser throws. */
export function acceptPayload(task: Task, payload: JsonObject): Promise<(context: RunContext) => Promise<unknown>> {
  return task[taskBrand](payload);
}
