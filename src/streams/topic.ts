/**
 * One stream as the readers of this process follow it. Local commits are handed over without reading back; what others
 * commit is read once for all readers. `next` only grows, and whoever is told of a batch is told of everything up to it.
 */
import { Unavailable } from '../domain/failure.ts';
import type { StoredRecord } from '../domain/record.ts';
import type { StreamPlace } from '../domain/stream.ts';
import type { StreamStore } from '../sessions/ports.ts';
import { batchesOf, batchFrom, batchOf, type RecordBatch } from './record-batch.ts';

export interface TopicReader {
  receive(batch: RecordBatch): void;
}

export class Topic {
  readonly place: StreamPlace;
  readonly #store: Pick<StreamStore, 'read'>;
  readonly #onFault: (cause: unknown) => void;
  readonly #readers = new Set<TopicReader>();
  #next: number;
  #pulling: 'no' | 'once' | 'again' = 'no';

  /** @param next of the stream, as the first reader has just seen it */
  constructor(
    place: StreamPlace,
    next: number,
    parts: { store: Pick<StreamStore, 'read'>; onFault: (cause: unknown) => void },
  ) {
    this.place = place;
    this.#next = next;
    this.#store = parts.store;
    this.#onFault = parts.onFault;
  }

  get next(): number {
    return this.#next;
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  join(reader: TopicReader): void {
    this.#readers.add(reader);
  }

  leave(reader: TopicReader): void {
    this.#readers.delete(reader);
  }

  /** Records that this process has just committed. A gap before them was committed elsewhere and is read. */
  handOver(records: readonly StoredRecord[]): void {
    const [first] = records;
    if (first === undefined) return;
    if (first.seq > this.#next) this.pull();
    else for (const batch of batchesOf(records)) this.#tell(batch);
  }

  /** Something may have been committed: looks, now or right after the look under way. */
  pull(): void {
    if (this.#pulling !== 'no') {
      this.#pulling = 'again';
      return;
    }
    this.#pulling = 'once';
    void this.#pullUntilEnd();
  }

  async #pullUntilEnd(): Promise<void> {
    try {
      for (let isBehind = true; isBehind && this.#readers.size > 0; ) {
        this.#pulling = 'once';
        const page = await this.#store.read(this.place, this.#next);
        const batch = batchOf(page.records);
        if (batch !== null) this.#tell(batch);
        isBehind = (this.#pulling as string) === 'again' || (batch !== null && this.#next < page.next);
      }
    } catch (cause) {
      // A database that is down: the next poll looks again.
      if (!(cause instanceof Unavailable)) this.#onFault(cause);
    } finally {
      this.#pulling = 'no';
    }
  }

  #tell(batch: RecordBatch): void {
    const unseen = batchFrom(batch, this.#next);
    if (unseen === null) return;
    this.#next = unseen.end;
    for (const reader of [...this.#readers]) reader.receive(unseen);
  }
}
