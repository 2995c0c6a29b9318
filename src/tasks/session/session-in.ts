/**
 * A session's `in` as a task reads it: at least once, in order, from the first message that no run has consumed.
 *
 * A message counts as consumed when the task asks for the next one, commits it, completes its turn, or returns.
 * Until then a crash has the next attempt, or the next run, read it again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { inReachDeadlineMs, waitTimeoutMaxMs } from '../../domain/task-limits.ts';
import type { TaskLog } from '../task-log.ts';
import type { Cursor } from './cursor.ts';
import { type FollowedRecord, followStream } from './follow-stream.ts';
import { endsSession, type InMessage, messageOf } from './message.ts';
import type { SessionApi } from './session-api.ts';
import { SessionError } from './session-error.ts';

export interface WaitOptions {
  /** Milliseconds; 0 looks only for what is there. Default: the session's `idleTimeoutInSeconds`, else 30 seconds. */
  readonly timeoutMs?: number | undefined;
}

/** Iterating it waits for each message by the default timeout, and ends when none came. */
export interface SessionIn extends AsyncIterable<InMessage> {
  /** Whether the session was closed or has expired: no client's message will come any more. */
  readonly ended: boolean;
  /**
   * The next message; null when none came in time, which is said only after the server was asked, or when the
   * session has ended. Throws the signal's reason when the attempt has to end.
   * @throws SessionError `unreachable` when the server is not there to tell
   */
  wait(options?: WaitOptions): Promise<InMessage | null>;
  /**
   * As `wait`, for a task that cannot go on without a message.
   * @throws SessionError `no-message`, which ends the run unless it is caught
   */
  once(options?: WaitOptions): Promise<InMessage>;
  /**
   * Marks everything up to this seq as consumed; resolves when the server has it durably. Moves forward only.
   * The server keeps no cursor of a side channel: there it does nothing.
   */
  commit(seq: number): Promise<void>;
}

export interface SessionInOptions {
  readonly api: SessionApi;
  /** Of the stream: `/realtime/v1/sessions/<session>/in`, or a side channel's. */
  readonly path: string;
  /** Seq to begin at. */
  readonly from: number;
  /** Null for a side channel: the server keeps no cursor of it. */
  readonly cursor: Cursor | null;
  readonly defaultTimeoutMs: number;
  /** Fires when the attempt has to end. */
  readonly signal: AbortSignal;
  readonly log: TaskLog;
}

/** What the attempt itself needs to know of it. */
export interface InReader extends SessionIn {
  /** Seq of the message that the task has in hand or had last; null before the first. */
  readonly lastSeq: number | null;
  /** The task has returned, and so consumed what it was given. */
  finish(): Promise<void>;
}

export function openSessionIn(options: SessionInOptions): InReader {
  return new Reader(options);
}

type Next = { readonly kind: 'record'; readonly record: FollowedRecord } | { readonly kind: 'late' };

class Reader implements InReader {
  readonly #options: SessionInOptions;
  readonly #records: AsyncGenerator<FollowedRecord, never>;
  /** Asked for, and kept when a wait ends before it comes. */
  #coming: Promise<FollowedRecord> | null = null;
  #seen: number;
  #inHand: number | null = null;
  #lastSeq: number | null = null;
  #isWaiting = false;
  #ended = false;

  constructor(options: SessionInOptions) {
    this.#options = options;
    this.#seen = options.from - 1;
    this.#records = followStream(options);
  }

  get ended(): boolean {
    return this.#ended;
  }

  get lastSeq(): number | null {
    return this.#lastSeq;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<InMessage, void> {
    for (let message = await this.wait(); message !== null; message = await this.wait()) yield message;
  }

  async once(options: WaitOptions = {}): Promise<InMessage> {
    const message = await this.wait(options);
    if (message !== null) return message;
    const why = this.#ended ? 'the session has ended' : `within ${this.#timeoutOf(options)} ms`;
    throw new SessionError(
      'no-message',
      `no message came: ${why}. Catch this, or use wait(), where a missing answer is an answer`,
    );
  }

  async wait(options: WaitOptions = {}): Promise<InMessage | null> {
    const timeoutMs = this.#timeoutOf(options);
    this.#options.signal.throwIfAborted();
    if (this.#isWaiting) {
      throw new TypeError('session.in is already being waited for: read it from one place, and hand the messages on');
    }
    this.#isWaiting = true;
    try {
      this.#consumeInHand();
      return this.#ended ? null : await this.#next(timeoutMs);
    } finally {
      this.#isWaiting = false;
    }
  }

  async commit(seq: number): Promise<void> {
    if (!Number.isSafeInteger(seq) || seq < 0 || seq > this.#seen) {
      throw new RangeError(`commit(${seq}): expected the seq of a message that was read, at most ${this.#seen}`);
    }
    if (this.#inHand !== null && seq >= this.#inHand) this.#inHand = null;
    this.#options.cursor?.consume(seq);
    await this.#options.cursor?.flush();
  }

  async finish(): Promise<void> {
    this.#consumeInHand();
    await this.#options.cursor?.flush();
  }

  #timeoutOf({ timeoutMs = this.#options.defaultTimeoutMs }: WaitOptions): number {
    if (typeof timeoutMs === 'number' && timeoutMs >= 0 && timeoutMs <= waitTimeoutMaxMs) return timeoutMs;
    throw new RangeError(`timeoutMs: expected 0 to ${waitTimeoutMaxMs} milliseconds, got ${String(timeoutMs)}`);
  }

  #consumeInHand(): void {
    if (this.#inHand === null) return;
    this.#options.cursor?.consume(this.#inHand);
    this.#inHand = null;
  }

  async #next(timeoutMs: number): Promise<InMessage | null> {
    const giveUpAt = Date.now() + timeoutMs;
    for (;;) {
      const next = await this.#recordWithin(giveUpAt - Date.now());
      if (next.kind === 'late') {
        if (await this.#isAtEnd()) return null;
        // It is there, and the tail is about to bring it.
        const overdue = await this.#recordWithin(inReachDeadlineMs);
        if (overdue.kind === 'late') throw this.#unreachable();
        const message = this.#take(overdue.record);
        if (message !== null || this.#ended) return message;
        continue;
      }
      const message = this.#take(next.record);
      if (message !== null || this.#ended) return message;
    }
  }

  /** Null for what is not for the task: a record that steers, and the end of the session. */
  #take(record: FollowedRecord): InMessage | null {
    this.#seen = record.seq;
    const message = messageOf(record);
    if (message === null) return null;
    if (this.#options.cursor !== null && endsSession(message)) {
      this.#ended = true;
      this.#options.cursor.consume(record.seq);
      return null;
    }
    this.#inHand = record.seq;
    this.#lastSeq = record.seq;
    return message;
  }

  async #recordWithin(limitMs: number): Promise<Next> {
    const coming = this.#ask();
    const settled = new AbortController();
    try {
      const next = await Promise.race([
        coming.then((record): Next => ({ kind: 'record', record })),
        lateAfter(limitMs, AbortSignal.any([settled.signal, this.#options.signal])),
      ]);
      if (next.kind === 'record') this.#coming = null;
      return next;
    } finally {
      settled.abort();
    }
  }

  /** A failure stays: a tail that was refused is refused to every later wait. */
  #ask(): Promise<FollowedRecord> {
    if (this.#coming === null) {
      this.#coming = this.#records.next().then(({ value }) => value);
      // It may fail while the task does something else, and nobody listens.
      this.#coming.catch(() => undefined);
    }
    return this.#coming;
  }

  /** Asked of the server, because a tail that says nothing may only be slow. */
  async #isAtEnd(): Promise<boolean> {
    const { api, path, signal } = this.#options;
    const { headers } = await api.call({ method: 'HEAD', path, signal });
    const last = Number(headers.get('x-last-chunk-index') ?? Number.NaN);
    if (Number.isNaN(last)) throw new SessionError('refused', `${path}: the answer to HEAD tells no last record`);
    return last <= this.#seen;
  }

  #unreachable(): SessionError {
    const { path } = this.#options;
    return new SessionError(
      'unreachable',
      `${path} holds a record after ${this.#seen}, and its tail does not bring it`,
    );
  }
}

async function lateAfter(limitMs: number, signal: AbortSignal): Promise<Next> {
  try {
    await delay(Math.max(limitMs, 0), undefined, { signal });
  } catch {
    // The race is decided, or the attempt has to end: the signal's own reason is what the task is told.
    signal.throwIfAborted();
  }
  return { kind: 'late' };
}
