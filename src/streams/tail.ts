/**
 * One reader of a stream, from its cursor on. It alternates between two states: it reads pages at its own pace until it
 * has all of them, then it hears of new records from the hub; when its socket does not take them, it goes back to pages.
 * So a slow reader costs a bounded backlog and its own reads, and slows nobody.
 *
 * Loops and their bounds: a page that cannot be read is tried again each poll tick until the reader leaves; a socket
 * that takes nothing for 30 s ends the tail; quiet time ends it after `timeoutMs`.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Unavailable } from '../domain/failure.ts';
import { tailPollMs } from '../domain/limits.ts';
import type { StreamPage, StreamStore } from '../sessions/ports.ts';
import { batchFrom, batchOf, type RecordBatch } from './record-batch.ts';
import type { StreamHub, WatchedStream } from './stream-hub.ts';

export interface TailSink {
  /** Takes the batch in any case; false when nothing more may come before `drained`. */
  deliver(batch: RecordBatch): boolean;
  /** Resolves when there is room again, or `left`; rejects when the reader has stalled for too long or has gone. */
  drained(left: AbortSignal): Promise<void>;
}

/**
 * `quiet`: no record for the timeout. `done`: everything before `until` was delivered. `gone`: the reader left.
 * `revoked`: the key that let it in is over.
 */
export type TailEnd = 'quiet' | 'done' | 'gone' | 'revoked' | 'stopped';

export interface TailOptions {
  /** First seq that the reader wants. */
  readonly from: number;
  /** Ends before this seq; null follows the stream. */
  readonly until: number | null;
  readonly timeoutMs: number;
  readonly sink: TailSink;
  /** Resolves to the stream once its session exists; rejects when `left` is aborted. */
  readonly stream: (left: AbortSignal) => Promise<WatchedStream>;
}

export interface TailDeps {
  readonly store: Pick<StreamStore, 'read'>;
  readonly hub: Pick<StreamHub, 'join' | 'leave'>;
}

export class Tail {
  readonly #deps: TailDeps;
  readonly #options: TailOptions;
  readonly #leaving = new AbortController();
  #position: number;
  #quiet: NodeJS.Timeout | undefined;
  #end: TailEnd | null = null;
  #lag: (() => void) | null = null;
  #isLagging = false;

  constructor(deps: TailDeps, options: TailOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#position = options.from;
  }

  /** Seq that the reader wants next. */
  get position(): number {
    return this.#position;
  }

  /** Ends the tail; the first reason counts. */
  end(reason: TailEnd): void {
    this.#end ??= reason;
    this.#leaving.abort();
    this.#lag?.();
  }

  /** Resolves when the tail has ended and nothing of it is left in the hub. Rejects on a fault. */
  async run(): Promise<TailEnd> {
    this.#restartQuiet();
    try {
      const stream = await this.#options.stream(this.#leaving.signal);
      while (this.#end === null) await this.#step(stream);
    } catch (thrown) {
      // Whoever left ends the wait that it was in.
      if (this.#end === null) throw thrown;
    } finally {
      clearTimeout(this.#quiet);
    }
    return this.#end ?? 'gone';
  }

  async #step(stream: WatchedStream): Promise<void> {
    const page = await this.#read(stream);
    if (page === null) return;
    const { until } = this.#options;
    const batch = batchOf(until === null ? page.records : page.records.filter(({ seq }) => seq < until));
    if (batch !== null && !this.#deliver(batch)) await this.#drained();
    if (this.#isDone(page)) return this.end('done');
    const hasMore = batch !== null && this.#position < page.next;
    if (this.#end === null && !hasMore) await this.#follow(stream, page.next);
  }

  /** Null while the database cannot be read, and after the end. */
  async #read(stream: WatchedStream): Promise<StreamPage | null> {
    try {
      const page = await this.#deps.store.read(stream, this.#position);
      return this.#end === null ? page : null;
    } catch (thrown) {
      if (!(thrown instanceof Unavailable)) throw thrown;
      await pause(tailPollMs, undefined, { signal: this.#leaving.signal });
      return null;
    }
  }

  /** Records are never taken back from a settled stream's end but by a trim, so an empty page is an end, too. */
  #isDone(page: StreamPage): boolean {
    const { until } = this.#options;
    return until !== null && (this.#position >= until || page.records.length === 0);
  }

  /** Until the reader lags, or ends. */
  async #follow(stream: WatchedStream, next: number): Promise<void> {
    const reader = { receive: (batch: RecordBatch) => this.#receive(batch) };
    const lagged = new Promise<void>((resolve) => {
      this.#lag = resolve;
    });
    try {
      if (!this.#deps.hub.join(reader, stream, { next, position: this.#position })) return;
      await lagged;
    } finally {
      this.#lag = null;
      this.#deps.hub.leave(reader, stream);
    }
    if (this.#end === null) await this.#drained();
  }

  #receive(batch: RecordBatch): void {
    // Between a full socket and leaving the hub, batches may still come: they are read again as pages.
    if (this.#end !== null || this.#isLagging) return;
    const wanted = batchFrom(batch, this.#position);
    if (wanted !== null && !this.#deliver(wanted)) {
      this.#isLagging = true;
      this.#lag?.();
    }
  }

  async #drained(): Promise<void> {
    try {
      await this.#options.sink.drained(this.#leaving.signal);
      this.#isLagging = false;
    } catch {
      this.end('gone');
    }
  }

  #deliver(batch: RecordBatch): boolean {
    this.#position = batch.end;
    this.#restartQuiet();
    return this.#options.sink.deliver(batch);
  }

  /** Each record sets it back; pings do not (protocol section 9.1). */
  #restartQuiet(): void {
    if (this.#quiet === undefined) {
      this.#quiet = setTimeout(() => this.end('quiet'), this.#options.timeoutMs);
      this.#quiet.unref();
    } else this.#quiet.refresh();
  }
}
