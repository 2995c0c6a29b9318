/** The two timers of a session: its expiry, and the grace of a run that outlives it. */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import type { SessionView } from '../src/domain/transition.ts';
import type { Inbox, SessionEvent } from './inbox.ts';

/** A year: Temporal counts timers in 64-bit nanoseconds, and a later expiry is simply armed again. */
const timerMaxMs = 365 * 24 * 3_600_000;

interface Timer {
  readonly dueAtMs: number;
  readonly scope: CancellationScope;
}

export class SessionTimers {
  readonly #inbox: Inbox;
  #expiry: Timer | null = null;
  #grace: Timer | null = null;

  constructor(inbox: Inbox) {
    this.#inbox = inbox;
  }

  /** Makes the timers agree with the gate: expiry while open, grace once ended. */
  agree(view: SessionView): void {
    if (view.state === 'open') {
      this.#armExpiry(view);
      return;
    }
    this.#disarmExpiry();
    this.#grace ??= this.#start(view.closeGraceSeconds * 1000, { kind: 'graceOver' }, 'grace of the live run');
  }

  #armExpiry(view: SessionView): void {
    if (view.expiresAtMs === null || this.#expiry?.dueAtMs !== view.expiresAtMs) this.#disarmExpiry();
    if (view.expiresAtMs === null || this.#expiry !== null) return;
    const delayMs = Math.max(1, Math.min(view.expiresAtMs - view.nowMs, timerMaxMs));
    this.#expiry = { ...this.#start(delayMs, { kind: 'expire' }, 'session expires'), dueAtMs: view.expiresAtMs };
  }

  #disarmExpiry(): void {
    this.#expiry?.scope.cancel();
    this.#expiry = null;
  }

  /** The session's workflow returns with no timer left behind. */
  clear(): void {
    this.#disarmExpiry();
    this.#grace?.scope.cancel();
  }

  #start(delayMs: number, event: SessionEvent, summary: string): Timer {
    const scope = new CancellationScope();
    const fire = async () => {
      await sleep(delayMs, { summary });
      if (event.kind === 'expire') this.#expiry = null;
      this.#inbox.push(event);
    };
    scope.run(fire).catch((thrown: unknown) => {
      if (!isCancellation(thrown)) throw thrown;
    });
    return { dueAtMs: 0, scope };
  }
}
