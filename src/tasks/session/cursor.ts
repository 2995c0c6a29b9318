/**
 * How far a session's runs have consumed `in`, kept by the server: where the next attempt or run goes on.
 * It only moves forward, so of commits that wait only the last is sent.
 */
import type { TaskLog } from '../task-log.ts';
import type { SessionApi } from './session-api.ts';

export interface CursorParts {
  readonly api: SessionApi;
  /** Of the run's cursor. */
  readonly path: string;
  /** Resolves when the answers are there that the task has not waited for: a message is consumed after them. */
  readonly answered: () => Promise<void>;
  readonly log: TaskLog;
}

export class Cursor {
  readonly #parts: CursorParts;
  /** Seqs: what the task has consumed, and what the server knows of it. */
  #consumed = -1;
  #stored = -1;
  #storing: Promise<void> | null = null;

  constructor(parts: CursorParts) {
    this.#parts = parts;
  }

  /** The server learns of it while the task goes on. */
  consume(seq: number): void {
    this.#consumed = Math.max(this.#consumed, seq);
    // A failure shows when the task needs the commit to be there; until then a later one may succeed.
    this.flush().catch((err: unknown) => this.#parts.log.debug({ err, seq }, 'the cursor could not be committed'));
  }

  /** The server learned of it in another way. */
  stored(seq: number): void {
    this.#consumed = Math.max(this.#consumed, seq);
    this.#stored = Math.max(this.#stored, seq);
  }

  /** Resolves when the server knows of everything consumed so far. */
  async flush(): Promise<void> {
    while (this.#stored < this.#consumed) {
      this.#storing ??= this.#store(this.#consumed).finally(() => {
        this.#storing = null;
      });
      await this.#storing;
    }
  }

  async #store(seq: number): Promise<void> {
    const { api, path, answered } = this.#parts;
    await answered();
    await api.call({ method: 'POST', path, body: JSON.stringify({ seq }) });
    this.stored(seq);
  }
}
