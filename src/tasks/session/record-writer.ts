/**
 * Records on their way to one stream, in the order they were appended. One request travels at a time; what is
 * appended meanwhile goes together in the next one, so a slow server makes larger batches, not a longer queue.
 * A request that got no answer is repeated as it was: its part ids make that harmless.
 */
import { writeRecordsMax } from '../../domain/limits.ts';
import { writeBytesMax, writeBytesWaitingMax, writesWaitingMax } from '../../domain/task-limits.ts';
import type { TaskLog } from '../task-log.ts';
import type { SessionApi } from './session-api.ts';
import { isSessionError, SessionError } from './session-error.ts';

/** A record, ready to be sent. */
export interface RecordText {
  /** JSON of `{ data, id, headers? }`. */
  readonly json: string;
  readonly bytes: number;
}

interface Waiting extends RecordText {
  readonly resolve: (seq: number) => void;
  readonly reject: (error: unknown) => void;
}

export interface RecordWriterParts {
  readonly api: SessionApi;
  /** Of the stream's records: `/realtime/v1/sessions/<session>/out/records`. */
  readonly path: string;
  readonly log: TaskLog;
}

export class RecordWriter {
  readonly #parts: RecordWriterParts;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #sending: Promise<void> | null = null;
  /** What an append was told whose records another attempt may still store. */
  #unreachable: SessionError | null = null;

  constructor(parts: RecordWriterParts) {
    this.#parts = parts;
  }

  /** Resolves to its seq once the record is durable. @throws SessionError */
  append(record: RecordText): Promise<number> {
    const stored = new Promise<number>((resolve, reject) => {
      this.#waiting.push({ ...record, resolve, reject });
    });
    this.#waitingBytes += record.bytes;
    this.#send();
    // A task may leave an append to itself; its failure is in the log, and must not end the process.
    stored.catch((err: unknown) => this.#parts.log.warn({ err, path: this.#parts.path }, 'an append failed'));
    return stored;
  }

  /** Resolves when a further record would not wait for long. */
  async ready(): Promise<void> {
    while (this.#waiting.length >= writesWaitingMax || this.#waitingBytes >= writeBytesWaitingMax) {
      await this.#sending;
    }
  }

  /**
   * Resolves when nothing is on its way any more.
   * @throws SessionError when the server was away for too long for one of the appends, which nobody may have awaited
   */
  async settled(): Promise<void> {
    while (this.#sending !== null) await this.#sending;
    if (this.#unreachable !== null) throw this.#unreachable;
  }

  #send(): void {
    this.#sending ??= this.#sendWaiting().finally(() => {
      this.#sending = null;
    });
  }

  async #sendWaiting(): Promise<void> {
    // What is appended in the same turn of the event loop travels together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      try {
        const seqs = await this.#store(batch);
        batch.forEach(({ resolve }, index) => resolve(seqs[index] ?? Number.NaN));
      } catch (error) {
        if (isSessionError(error) && error.code === 'unreachable') this.#unreachable = error;
        // What was to follow would leave a gap behind it.
        for (const { reject } of [...batch, ...this.#takeAll()]) reject(error);
      }
    }
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    const beyond = this.#waiting.findIndex((record, index) => {
      bytes += record.bytes;
      return index > 0 && (index >= writeRecordsMax || bytes > writeBytesMax);
    });
    return this.#take(beyond < 0 ? this.#waiting.length : beyond);
  }

  #takeAll(): Waiting[] {
    return this.#take(this.#waiting.length);
  }

  #take(count: number): Waiting[] {
    const taken = this.#waiting.splice(0, count);
    this.#waitingBytes -= taken.reduce((sum, { bytes }) => sum + bytes, 0);
    return taken;
  }

  async #store(batch: readonly Waiting[]): Promise<readonly number[]> {
    const { api, path } = this.#parts;
    const body = `{"records":[${batch.map(({ json }) => json).join(',')}]}`;
    const answer = await api.call({ method: 'POST', path, body });
    const { seqs } = (answer.body ?? {}) as { seqs?: unknown };
    if (Array.isArray(seqs) && seqs.length === batch.length) return seqs as number[];
    throw new SessionError('refused', `${path} answered without the seqs of ${batch.length} records`);
  }
}
