/**
 * Everybody in this process who waits for a waitpoint. A change of the waitpoint's session is a hint to look at once; the
 * truth is a look at all of them twice a second, in one statement, so a lost hint costs half a second and no wake.
 *
 * The same clock sweeps timeouts. Each process sweeps those of all sessions, so none of them has to live.
 */
import { setMaxListeners } from 'node:events';
import { Unavailable } from '../domain/failure.ts';
import type { WaitpointId } from '../domain/ids.ts';
import { waitersMax, waitHoldMs, waitpointIdleSweepMs, waitpointPollMs } from '../domain/limits.ts';
import type { Waitpoint } from '../domain/waitpoint.ts';
import type { Changes } from '../sessions/ports.ts';
import type { WaitpointStore } from '../sessions/waitpoint-ports.ts';

export interface WaitpointWatchDeps {
  readonly store: Pick<WaitpointStore, 'adoptEarly' | 'findCompleted' | 'timeOut' | 'forget'>;
  readonly changes: Pick<Changes, 'subscribe' | 'publish'>;
  /** A look failed in a way that waiting does not cure; waiters go on. */
  readonly onFault: (cause: unknown) => void;
}

type Waiter = (completed: Waitpoint) => void;

/** Ticks of the clock between two sweeps of an idle process, and between two times that old waitpoints are forgotten. */
const idleTicks = waitpointIdleSweepMs / waitpointPollMs;
const forgetTicks = (10 * 60_000) / waitpointPollMs;

export class WaitpointWatch {
  readonly #deps: WaitpointWatchDeps;
  readonly #waiters = new Map<WaitpointId, Set<Waiter>>();
  readonly #stopping = new AbortController();
  readonly #clock: NodeJS.Timeout;
  /** Something of these has changed since the look under way began. */
  readonly #changed = new Set<WaitpointId>();
  #count = 0;
  #looking: Promise<void> | null = null;
  #ticks = 0;
  #ticking: Promise<void> | null = null;

  constructor(deps: WaitpointWatchDeps) {
    this.#deps = deps;
    this.#clock = setInterval(() => this.#tick(), waitpointPollMs);
    this.#clock.unref();
    // Every waiter listens to it; there may be `waitersMax` of them.
    setMaxListeners(0, this.#stopping.signal);
  }

  /** For leak checks. */
  get waiterCount(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= waitersMax;
  }

  /** The waitpoint once it has completed; as it was when the hold is over, the waiter has left or the process stops. */
  async wait(waitpoint: Waitpoint, left: AbortSignal): Promise<Waitpoint> {
    if (this.#stopping.signal.aborted || left.aborted) return waitpoint;
    let tell: Waiter = () => undefined;
    const told = new Promise<Waitpoint>((resolve) => {
      tell = resolve;
    });
    const giveUp = () => tell(waitpoint);
    const hold = setTimeout(giveUp, waitHoldMs);
    const signals = [left, this.#stopping.signal];
    for (const signal of signals) signal.addEventListener('abort', giveUp, { once: true });
    this.#join(waitpoint.id, tell);
    const unsubscribe = this.#deps.changes.subscribe(waitpoint.workflowId, () => this.#look(waitpoint.id));
    // What was completed before the subscription is seen by a look after it.
    this.#look(waitpoint.id);
    try {
      return await told;
    } finally {
      clearTimeout(hold);
      for (const signal of signals) signal.removeEventListener('abort', giveUp);
      unsubscribe();
      this.#leave(waitpoint.id, tell);
    }
  }

  /** Everybody who waits is answered as it is. */
  async stop(): Promise<void> {
    clearInterval(this.#clock);
    this.#stopping.abort();
    await Promise.all([this.#looking, this.#ticking]);
  }

  #join(id: WaitpointId, waiter: Waiter): void {
    this.#waiters.set(id, (this.#waiters.get(id) ?? new Set<Waiter>()).add(waiter));
    this.#count += 1;
  }

  #leave(id: WaitpointId, waiter: Waiter): void {
    const waiters = this.#waiters.get(id);
    if (waiters?.delete(waiter) === true) this.#count -= 1;
    if (waiters?.size === 0) this.#waiters.delete(id);
  }

  /** Changes that come during a look are looked at together by the next one. */
  #look(id: WaitpointId): void {
    this.#changed.add(id);
    this.#looking ??= this.#lookUntilQuiet().finally(() => {
      this.#looking = null;
    });
  }

  async #lookUntilQuiet(): Promise<void> {
    // Waits of the same moment are looked at in one statement.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#changed.size > 0 && !this.#stopping.signal.aborted) {
      const ids = [...this.#changed].filter((id) => this.#waiters.has(id));
      this.#changed.clear();
      await this.#quietly(() => this.#tellOf(ids));
    }
  }

  async #tellOf(ids: readonly WaitpointId[]): Promise<void> {
    if (ids.length === 0) return;
    for (const completed of await this.#deps.store.findCompleted(ids)) {
      for (const waiter of this.#waiters.get(completed.id) ?? []) waiter(completed);
    }
  }

  #tick(): void {
    this.#ticks += 1;
    const isIdle = this.#waiters.size === 0;
    const isDue = !isIdle || this.#ticks % idleTicks === 0;
    if (!isDue || this.#ticking !== null) return;
    this.#ticking = this.#quietly(() => this.#sweep()).finally(() => {
      this.#ticking = null;
    });
  }

  async #sweep(): Promise<void> {
    for (const workflowId of await this.#deps.store.adoptEarly()) this.#deps.changes.publish(workflowId);
    for (const workflowId of await this.#deps.store.timeOut()) this.#deps.changes.publish(workflowId);
    await this.#tellOf([...this.#waiters.keys()]);
    if (this.#ticks % forgetTicks === 0) await this.#deps.store.forget();
  }

  /** A database that is down: the next look comes anyway. */
  async #quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      if (!(cause instanceof Unavailable)) this.#deps.onFault(cause);
    }
  }
}
