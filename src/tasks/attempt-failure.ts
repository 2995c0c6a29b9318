/** Errors as Temporal keeps them: bounded texts, and a clear word on whether another attempt makes sense. */
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import { attemptFailureType } from '../domain/attempt-failure.ts';
import { errorCausesMax, errorMessageLengthMax, errorStackLengthMax } from '../domain/limits.ts';
import { isAbortRunError } from './abort-run-error.ts';
import { isSessionError } from './session/session-error.ts';

type AttemptFailureType = (typeof attemptFailureType)[keyof typeof attemptFailureType];

/** The run ends with this attempt. */
export function finalFailure(type: AttemptFailureType, message: string, cause?: unknown): ApplicationFailure {
  return toFailure({ type, message, nonRetryable: true, cause });
}

/** The run's retry policy decides; `nextRetryDelayMs` replaces its next delay. */
export function passingFailure(
  type: AttemptFailureType,
  message: string,
  nextRetryDelayMs?: number,
): ApplicationFailure {
  return toFailure({ type, message, nonRetryable: false, nextRetryDelayMs });
}

/**
 * What a task threw. Its name, message and stack are kept; another attempt follows unless it is an
 * `AbortRunError`, or a `SessionError` that would come again. A failure that the task built for Temporal itself
 * passes as it is.
 */
export function taskFailure(thrown: unknown): ApplicationFailure {
  if (thrown instanceof ApplicationFailure) return sendable(thrown);
  if (!(thrown instanceof Error)) return toFailure({ type: 'Error', message: textOf(thrown), nonRetryable: false });
  const isUnreachable = isSessionError(thrown) && thrown.code === 'unreachable';
  return toFailure({
    type: isUnreachable ? attemptFailureType.sessionUnreachable : thrown.name,
    message: thrown.message,
    nonRetryable: isAbortRunError(thrown) || (isSessionError(thrown) && !isUnreachable),
    stack: thrown.stack,
    cause: thrown.cause,
  });
}

/** An object without a prototype, or with a broken one, has no text; an error's name and message may be anything. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'an object that cannot be shown';
  }
}

interface FailureParts {
  readonly type: string;
  readonly message: string;
  readonly nonRetryable: boolean;
  readonly nextRetryDelayMs?: number | undefined;
  readonly stack?: string | undefined;
  readonly cause?: unknown;
}

function toFailure(parts: FailureParts, causesLeft = errorCausesMax): ApplicationFailure {
  const cause = causesLeft > 0 ? causeOf(parts.cause, causesLeft - 1) : undefined;
  const failure = ApplicationFailure.create({
    type: cut(textOf(parts.type), errorMessageLengthMax),
    message: cut(textOf(parts.message), errorMessageLengthMax),
    nonRetryable: parts.nonRetryable,
    ...(parts.nextRetryDelayMs === undefined ? {} : { nextRetryDelay: parts.nextRetryDelayMs }),
    ...(cause === undefined ? {} : { cause }),
  });
  failure.stack = cut(framesOfTask(parts.stack ?? ''), errorStackLengthMax);
  return failure;
}

function causeOf(cause: unknown, causesLeft: number): ApplicationFailure | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { name, message, stack } = cause;
  return toFailure({ type: name, message, stack, nonRetryable: false, cause: cause.cause }, causesLeft);
}

const ownFolder = fileURLToPath(new URL('.', import.meta.url));

/** Up to the frames of this module, below which a trace tells a task's author nothing. */
function framesOfTask(stack: string): string {
  const lines = stack.split('\n');
  const ours = lines.findIndex((line) => /^\s+at /.test(line) && line.includes(ownFolder));
  return ours < 0 ? stack : lines.slice(0, ours).join('\n');
}

function cut(text: string, lengthMax: number): string {
  const short = text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`;
  return short.toWellFormed();
}

/** Links of a chain that somebody else built, and that may be circular. */
const linksMax = 20;

/**
 * Half of a surrogate pair, as a cut through an emoji leaves it, is no UTF-8: the SDK cannot send such a report,
 * and the attempt would count as lost.
 */
function sendable(failure: ApplicationFailure): ApplicationFailure {
  let link: unknown = failure;
  for (let links = 0; link instanceof Error && links < linksMax; links += 1) {
    link.message = link.message.toWellFormed();
    if (link.stack !== undefined) link.stack = link.stack.toWellFormed();
    link = link.cause;
  }
  return failure;
}
