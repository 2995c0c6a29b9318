/**
 * Who waits for a session's row is woken when it changes: in this process at once, in others by one notification per
 * interval. Only ever a hint to look earlier; whoever waits also polls.
 *
 * A notification lists digests of workflow ids, because ids are long and its size is bounded. Two ids with one digest
 * wake each other's waiters, which costs a read.
 */
import { hash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { announcedSessionsMax, announceIntervalMs, notificationBytesMax } from '../domain/limits.ts';
import type { Session } from '../domain/session.ts';
import type { Changes } from '../sessions/ports.ts';
import type { Database, DatabaseProblem } from './database.ts';

export interface ChangeFeed extends Changes {
  /** For leak checks. */
  subscriberCount(): number;
  /** What was not announced yet is dropped. */
  stop(): Promise<void>;
}

export interface ChangeFeedOptions {
  readonly onProblem: (problem: DatabaseProblem) => void;
}

const channel = 'session_changes';
/** Stands for every session: after a burst that does not fit, or after a gap. */
const everySession = '*';
const digestLength = 12;
const digestsPerNotification = Math.floor((notificationBytesMax + 1) / (digestLength + 1));

/** Also resolves while the database is down: until it is back, waiters poll. */
export async function openChangeFeed(database: Database, { onProblem }: ChangeFeedOptions): Promise<ChangeFeed> {
  const subscribers = openSubscribers((cause) => onProblem({ kind: 'listener threw', cause }));
  const announcer = openAnnouncer((payload) => database.notify(channel, payload));
  const unlisten = await database.listen(channel, {
    onPayload: (payload) => {
      if (payload === everySession) subscribers.wakeAll();
      else for (const digest of payload.split(',')) subscribers.wake(digest);
    },
    onGap: subscribers.wakeAll,
  });
  return {
    publish(workflowId, committed) {
      const digest = digestOf(workflowId);
      // Whoever ordered this row waits here and is handed it, so nobody else needs waking: should another process
      // have ordered the same session in that very moment, it finds the row at its next poll tick.
      const isDelivered = committed !== undefined && subscribers.has(digest);
      queueMicrotask(() => subscribers.wake(digest, committed));
      if (database.kind === 'postgres' && !isDelivered) announcer.add(digest);
    },
    announce(workflowId) {
      if (database.kind === 'postgres') announcer.add(digestOf(workflowId));
    },
    subscribe: (workflowId, onChange) => subscribers.add(digestOf(workflowId), onChange),
    subscriberCount: subscribers.count,
    async stop() {
      announcer.stop();
      await unlisten();
    },
  };
}

const digestOf = (workflowId: string): string => hash('sha256', workflowId).slice(0, digestLength);

function openSubscribers(onThrow: (cause: unknown) => void) {
  /** Values are wrapped: one function may be subscribed twice. */
  const byDigest = new Map<string, Set<{ readonly onChange: (committed?: Session) => void }>>();

  function wake(digest: string, committed?: Session): void {
    for (const { onChange } of [...(byDigest.get(digest) ?? [])]) {
      try {
        onChange(committed);
      } catch (cause) {
        onThrow(cause);
      }
    }
  }

  return {
    wake,
    wakeAll(): void {
      for (const digest of [...byDigest.keys()]) wake(digest);
    },
    has: (digest: string): boolean => byDigest.has(digest),
    add(digest: string, onChange: (committed?: Session) => void): () => void {
      const subscriber = { onChange };
      const subscribersOfDigest = byDigest.get(digest) ?? new Set();
      byDigest.set(digest, subscribersOfDigest.add(subscriber));
      return () => {
        subscribersOfDigest.delete(subscriber);
        if (subscribersOfDigest.size === 0 && byDigest.get(digest) === subscribersOfDigest) byDigest.delete(digest);
      };
    },
    count: () => [...byDigest.values()].reduce((sum, { size }) => sum + size, 0),
  };
}

/** The first change after a quiet time leaves at once; those of a burst leave together, one interval later. */
function openAnnouncer(send: (payload: string) => Promise<void>) {
  let waiting = new Set<string>();
  let overflow = false;
  let state: 'quiet' | 'sending' | 'stopped' = 'quiet';

  async function announce(): Promise<void> {
    while (state === 'sending' && (waiting.size > 0 || overflow)) {
      const payloads = overflow ? [everySession] : payloadsOf([...waiting]);
      waiting = new Set();
      overflow = false;
      const interval = pause(announceIntervalMs, undefined, { ref: false });
      for (const payload of payloads) await send(payload);
      await interval;
    }
    if (state === 'sending') state = 'quiet';
  }

  return {
    add(digest: string): void {
      if (overflow || state === 'stopped') return;
      waiting.add(digest);
      if (waiting.size > announcedSessionsMax) {
        overflow = true;
        waiting = new Set();
      }
      if (state !== 'quiet') return;
      state = 'sending';
      // Changes of the same moment travel together.
      setImmediate(() => void announce());
    },
    stop(): void {
      state = 'stopped';
      waiting = new Set();
    },
  };
}

function payloadsOf(digests: readonly string[]): string[] {
  const payloads: string[] = [];
  for (let start = 0; start < digests.length; start += digestsPerNotification) {
    payloads.push(digests.slice(start, start + digestsPerNotification).join(','));
  }
  return payloads;
}
