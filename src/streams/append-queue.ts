/**
 * Group commit: appends that arrive while a transaction is in flight travel together in the next one, for many sessions
 * at once. A session is in one transaction at a time, so its commits are told in the order of their seqs. A session
 * whose gate somebody else holds is left to a transaction of its own, and holds up nobody but itself.
 */
import { Unavailable } from '../domain/failure.ts';
import type { SessionId } from '../domain/ids.ts';
import {
  appendBytesWaitingMax,
  appendsWaitingMax,
  flushBytesMax,
  flushesMax,
  flushRecordsMax,
  waitingFlushesMax,
} from '../domain/limits.ts';
import type { Append, AppendAnswer, StreamStore } from '../sessions/ports.ts';

export interface QueuedAppend extends Append {
  readonly workflowId: string;
}

export interface CommittedAppend {
  readonly append: QueuedAppend;
  readonly answer: AppendAnswer;
}

export interface AppendQueue {
  /** Resolves after the commit; null when too many appends wait already. Throws `Unavailable`. */
  append(append: QueuedAppend): Promise<AppendAnswer | null>;
}

export interface AppendQueueOptions {
  readonly store: Pick<StreamStore, 'append'>;
  /** Transactions at once: 1 where the database has one connection. */
  readonly flushes?: number;
  /** Called after each commit, before its appends are acknowledged, with one session's appends in order. Never throws. */
  readonly onCommitted: (committed: readonly CommittedAppend[]) => void;
}

interface Pending {
  readonly append: QueuedAppend;
  readonly bytes: number;
  readonly resolve: (answer: AppendAnswer) => void;
  readonly reject: (error: unknown) => void;
  /** It was in a transaction that failed by a fault, perhaps its own: it goes by itself. */
  isSuspect: boolean;
}

interface SessionQueue {
  readonly pending: Pending[];
  /** In a transaction now. */
  inFlight: boolean;
  /** Its gate was held when a shared transaction came by. */
  isHeld: boolean;
  /** Its last transaction: how many of its appends were in it, and how long it took. */
  last: { readonly appends: number; readonly ms: number };
}

interface Flight {
  readonly sessions: readonly SessionId[];
  readonly batch: readonly Pending[];
  readonly wait: boolean;
}

export function openAppendQueue(options: AppendQueueOptions): AppendQueue {
  return new GroupCommit(options);
}

class GroupCommit implements AppendQueue {
  readonly #options: AppendQueueOptions;
  readonly #sessions = new Map<SessionId, SessionQueue>();
  readonly #flying = { shared: 0, alone: 0 };
  #waiting = 0;
  #bytes = 0;
  #isScheduled = false;

  constructor(options: AppendQueueOptions) {
    this.#options = options;
  }

  append(append: QueuedAppend): Promise<AppendAnswer | null> {
    const bytes = sizeOf(append);
    if (this.#waiting >= appendsWaitingMax || this.#bytes + bytes > appendBytesWaitingMax) {
      return Promise.resolve(null);
    }
    const answered = new Promise<AppendAnswer>((resolve, reject) =>
      this.#enqueue({ append, bytes, resolve, reject, isSuspect: false }),
    );
    this.#schedule();
    return answered;
  }

  #enqueue(pending: Pending): void {
    const { sessionId } = pending.append;
    const queue = this.#sessions.get(sessionId) ?? {
      pending: [],
      inFlight: false,
      isHeld: false,
      last: { appends: 0, ms: 0 },
    };
    queue.pending.push(pending);
    this.#sessions.set(sessionId, queue);
    this.#waiting += 1;
    this.#bytes += pending.bytes;
  }

  /** Appends that were read off their sockets in the same turn leave together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#launch();
    });
  }

  #launch(): void {
    const flushes = this.#options.flushes ?? flushesMax;
    while (this.#flying.shared < flushes) {
      const flight = this.#nextShared();
      if (flight === null) break;
      void this.#fly(flight);
    }
    for (const [sessionId, queue] of this.#sessions) {
      if (this.#flying.alone >= waitingFlushesMax) break;
      if (queue.isHeld && !queue.inFlight) void this.#fly(this.#nextAlone(sessionId, queue));
    }
  }

  #nextShared(): Flight | null {
    const load = new Load();
    const sessions: SessionId[] = [];
    for (const [sessionId, queue] of this.#sessions) {
      if (queue.inFlight || queue.isHeld) continue;
      if (!load.takes(shareOf(queue))) break;
      sessions.push(sessionId);
    }
    return sessions.length === 0 ? null : { sessions, batch: load.batch, wait: false };
  }

  #nextAlone(sessionId: SessionId, queue: SessionQueue): Flight {
    const load = new Load();
    load.takes(queue.pending);
    return { sessions: [sessionId], batch: load.batch, wait: true };
  }

  async #fly(flight: Flight): Promise<void> {
    const lane = flight.wait ? 'alone' : 'shared';
    const begunAtMs = performance.now();
    this.#flying[lane] += 1;
    for (const sessionId of flight.sessions) this.#queueOf(sessionId).inFlight = true;
    try {
      const appends = flight.batch.map(({ append }) => append);
      const answers = await this.#options.store
        .append(appends, flight.wait)
        .catch((error: unknown) => this.#takeApart(flight, error));
      if (answers !== null) this.#land(flight, answers);
    } catch (error) {
      for (const pending of flight.batch) {
        this.#forget(pending);
        pending.reject(error);
      }
      for (const sessionId of flight.sessions) this.#queueOf(sessionId).isHeld = false;
    } finally {
      this.#flying[lane] -= 1;
      this.#rest(flight, performance.now() - begunAtMs);
      this.#schedule();
    }
  }

  /** What one append is at fault for must not fail those that travelled with it: each is tried once more, by itself. */
  #takeApart({ batch }: Flight, error: unknown): null {
    if (error instanceof Unavailable || batch.length === 1) throw error;
    for (const pending of batch) pending.isSuspect = true;
    return null;
  }

  #land(flight: Flight, answers: readonly (AppendAnswer | 'busy')[]): void {
    const committed = new Map<SessionId, { pending: Pending; answer: AppendAnswer }[]>();
    for (const sessionId of flight.sessions) this.#queueOf(sessionId).isHeld = false;
    flight.batch.forEach((pending, index) => {
      const answer = answers[index] ?? 'busy';
      const { sessionId } = pending.append;
      if (answer === 'busy') {
        this.#queueOf(sessionId).isHeld = true;
        // No gate was in its way: it failed beside others, and by itself it is told why.
        pending.isSuspect ||= flight.wait;
        return;
      }
      const ofSession = committed.get(sessionId) ?? [];
      ofSession.push({ pending, answer });
      committed.set(sessionId, ofSession);
    });
    for (const ofSession of committed.values()) {
      for (const { pending } of ofSession) this.#forget(pending);
      this.#options.onCommitted(ofSession.map(({ pending, answer }) => ({ append: pending.append, answer })));
      for (const { pending, answer } of ofSession) pending.resolve(answer);
    }
  }

  /** Arrivals of a session keep their order, so what is done is always its head. */
  #forget(pending: Pending): void {
    const { pending: queued } = this.#queueOf(pending.append.sessionId);
    const index = queued.indexOf(pending);
    if (index < 0) return;
    queued.splice(index, 1);
    this.#waiting -= 1;
    this.#bytes -= pending.bytes;
  }

  /** To the end of the line: no busy session keeps others from their turn. */
  #rest({ sessions, batch }: Flight, ms: number): void {
    for (const sessionId of sessions) {
      const queue = this.#queueOf(sessionId);
      queue.inFlight = false;
      queue.last = { appends: sessions.length === 1 ? batch.length : 0, ms };
      this.#sessions.delete(sessionId);
      if (queue.pending.length > 0) this.#sessions.set(sessionId, queue);
    }
  }

  #queueOf(sessionId: SessionId): SessionQueue {
    const queue = this.#sessions.get(sessionId);
    if (queue === undefined) throw new Unavailable('database', new Error(`no append of ${sessionId} waits`));
    return queue;
  }
}

/** Processor time of one append outside of the database, about. */
const handlingMs = 0.1;
/** Fewer are not worth two transactions. */
const sharedAppendsMin = 16;

/**
 * What of one session's queue goes next. Callers who all wait for one transaction come back all at once, and then the
 * database waits for this process and this process for the database, by turns. So where handling them takes longer than
 * committing them, half of those who are on their way wait for the transaction after: 64 in flight on one stream went
 * 1 and 63 by turns, and go 32 by 32, with 3 % more of them in a second.
 */
function shareOf({ pending, last }: SessionQueue): readonly Pending[] {
  const underWay = pending.length + last.appends;
  if (underWay <= sharedAppendsMin || last.ms > underWay * handlingMs) return pending;
  return pending.slice(0, Math.ceil(underWay / 2));
}

/** About its bytes: what counts is that nothing large goes uncounted. */
const sizeOf = ({ records }: QueuedAppend): number =>
  records.reduce(
    (sum, { headers, body }) =>
      headers.reduce((inHeaders, [name, value]) => inHeaders + name.length + value.length, sum + body.length),
    0,
  );

/** What one transaction carries. */
class Load {
  readonly batch: Pending[] = [];
  #bytes = 0;
  #records = 0;

  /** The head of a session's queue, as far as it fits; the first append always does. False: nothing did. */
  takes(pending: readonly Pending[]): boolean {
    const before = this.batch.length;
    for (const arrival of pending) {
      const records = this.#records + arrival.append.records.length;
      const isFull = records > flushRecordsMax || this.#bytes + arrival.bytes > flushBytesMax;
      const goesAlone = arrival.isSuspect || this.batch[0]?.isSuspect === true;
      if ((isFull || goesAlone) && this.batch.length > 0) break;
      this.batch.push(arrival);
      this.#bytes += arrival.bytes;
      this.#records = records;
    }
    return this.batch.length > before;
  }
}
