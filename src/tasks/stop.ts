/**
 * Why and when an attempt has to end before its function does. The first reason wins and settles the
 * outcome; the function then has a bounded grace, because code in this process cannot be killed. Should
 * it go on for longer, the attempt ends without it, and the fence refuses its later writes.
 */
import { stopGraceMs } from '../domain/limits.ts';
import { defer } from './deferred.ts';

/**
 * cancelled: the run was cancelled. max-duration: its time is up. worker-shutdown: this worker is being
 * replaced, and another one takes the run. lost: Temporal gave this attempt up and may have started another.
 * superseded: the server says that another attempt or run serves the session now, and refuses what this one writes.
 */
export type StopReason = 'cancelled' | 'max-duration' | 'worker-shutdown' | 'lost' | 'superseded';

/** `reason` of a task's signal. Named AbortError because libraries tell an abort from a fault by that name. */
export class AttemptStopped extends Error {
  readonly why: StopReason;

  constructor(why: StopReason) {
    super(`the attempt has to end: ${why}`);
    this.name = 'AbortError';
    this.why = why;
  }
}

export interface Stop {
  /** Fires once, with an `AttemptStopped`. */
  readonly signal: AbortSignal;
  /** Null until the signal has fired. */
  why(): StopReason | null;
  /** @param atMs milliseconds since 1970 by this machine's clock; a moment in the past stops at once */
  stopAt(atMs: number): void;
  /** The server has told this attempt that it is no longer the one that writes. */
  supersede(): void;
  /** Resolves when the signal has fired and the grace after it is over. */
  readonly graceOver: Promise<undefined>;
  /** Ends the timers; to be called when the attempt has ended. */
  release(): void;
}

/** Beyond this Node's timers fire at once. */
const timerMsMax = 2_147_483_647;

/** @param cancellation the signal of Temporal's activity context, whose reason is a `CancelledFailure` */
export function watchForStop(cancellation: AbortSignal, graceMs = stopGraceMs): Stop {
  const controller = new AbortController();
  const grace = defer();
  let why: StopReason | null = null;
  let deadlineTimer: NodeJS.Timeout | undefined;
  let graceTimer: NodeJS.Timeout | undefined;

  const stop = (reason: StopReason): void => {
    if (why !== null) return;
    why = reason;
    clearTimeout(deadlineTimer);
    graceTimer = setTimeout(grace.resolve, graceMs);
    controller.abort(new AttemptStopped(reason));
  };
  const stopAt = (atMs: number): void => {
    clearTimeout(deadlineTimer);
    if (why !== null) return;
    const leftMs = atMs - Date.now();
    if (leftMs <= 0) stop('max-duration');
    else deadlineTimer = setTimeout(stopAt, Math.min(leftMs, timerMsMax), atMs);
  };
  const onCancellation = (): void => stop(stopReasonOf(cancellation.reason));

  if (cancellation.aborted) onCancellation();
  else cancellation.addEventListener('abort', onCancellation, { once: true });
  return {
    signal: controller.signal,
    why: () => why,
    stopAt,
    supersede: () => stop('superseded'),
    graceOver: grace.promise,
    release: () => {
      cancellation.removeEventListener('abort', onCancellation);
      clearTimeout(deadlineTimer);
      clearTimeout(graceTimer);
    },
  };
}

/** The SDK's worker puts the kind of its cancellation into the message. */
function stopReasonOf(reason: unknown): StopReason {
  const kind = reason instanceof Error ? reason.message : '';
  if (kind === 'WORKER_SHUTDOWN') return 'worker-shutdown';
  return kind === 'CANCELLED' ? 'cancelled' : 'lost';
}
