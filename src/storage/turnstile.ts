/** One at a time, first come first served, with a bounded wait: PGlite's stand-in for a pool. */
import { Unavailable } from '../domain/failure.ts';
import { databaseTimeoutMs, databaseWaitersMax } from '../domain/limits.ts';
import type { DatabaseUsage } from './database.ts';

export interface Turnstile {
  /** Throws `Unavailable` without running `work` when its turn does not come in time. */
  pass<Value>(work: () => Promise<Value>): Promise<Value>;
  usage(): DatabaseUsage;
  /** Refuses everybody who waits or comes later; resolves when the last one inside has left. */
  close(): Promise<void>;
}

interface Waiter {
  readonly enter: () => void;
  readonly refuse: (reason: Unavailable) => void;
}

const refusal = (reason: string): Unavailable => new Unavailable('database', new Error(reason));

export function openTurnstile(): Turnstile {
  const waiters: Waiter[] = [];
  let busy = false;
  let closed = false;
  let onIdle: () => void = () => {};

  async function turn(): Promise<void> {
    if (closed) throw refusal('the database is closed');
    if (waiters.length >= databaseWaitersMax) throw refusal(`${databaseWaitersMax} callers wait already`);
    if (busy) await waitAmong(waiters);
    busy = true;
  }

  function leave(): void {
    const next = waiters.shift();
    // Stays busy for the next one, so that nobody slips in between.
    if (next !== undefined) {
      next.enter();
      return;
    }
    busy = false;
    onIdle();
  }

  return {
    async pass(work) {
      await turn();
      try {
        return await work();
      } finally {
        leave();
      }
    },
    usage: () => ({ busy: busy ? 1 : 0, waiting: waiters.length }),
    close() {
      closed = true;
      for (const waiter of waiters.splice(0)) waiter.refuse(refusal('the database is closed'));
      return busy ? new Promise((resolve) => (onIdle = resolve)) : Promise.resolve();
    },
  };
}

function waitAmong(waiters: Waiter[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      waiters.splice(waiters.indexOf(waiter), 1);
      reject(refusal(`no connection within ${databaseTimeoutMs} ms; inside a transaction, use its own sql`));
    }, databaseTimeoutMs);
    const waiter: Waiter = {
      enter: () => {
        clearTimeout(timer);
        resolve();
      },
      refuse: (reason) => {
        clearTimeout(timer);
        reject(reason);
      },
    };
    waiters.push(waiter);
  });
}
