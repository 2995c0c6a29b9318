/** Frames of one session between the socket and their append, in order and bounded. */
export interface ArrivedFrame {
  readonly payload: Buffer;
  /** Of the monotonic clock. */
  readonly arrivedAtMs: number;
}

/** What follows the frames that wait. */
type BacklogEnd = { readonly kind: 'done' | 'gone' } | { readonly kind: 'failed'; readonly error: Error };

export class FrameBacklog {
  readonly #bytesMax: number;
  readonly #frames: ArrivedFrame[] = [];
  #bytes = 0;
  /** Null while more may come. */
  #last: BacklogEnd | null = null;
  #changed: () => void = () => undefined;
  #room: () => void = () => undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isOver(): boolean {
    return this.#last !== null;
  }

  /** Resolves when there is room for another. */
  async push(frame: ArrivedFrame): Promise<void> {
    if (this.#last !== null) return;
    this.#frames.push(frame);
    this.#bytes += frame.payload.length;
    this.#changed();
    if (this.#bytes < this.#bytesMax) return;
    await new Promise<void>((resolve) => {
      this.#room = resolve;
    });
  }

  /** Null after the last one. Rejects where the backlog has failed. */
  async next(): Promise<ArrivedFrame | null> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return this.#taken(frame);
      const last = this.#last;
      if (last?.kind === 'failed') throw last.error;
      if (last !== null) return null;
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** `done` leaves the frames that wait their turn; `gone` does not: nobody would hear of them. */
  end(kind: 'done' | 'gone'): void {
    if (kind === 'gone') this.#frames.length = 0;
    this.#close({ kind });
  }

  /** The frames that wait come first. */
  fail(error: Error): void {
    this.#close({ kind: 'failed', error });
  }

  /** The frames that wait are refused with the rest; without any, a session that was ending ends in order. */
  refuseRest(error: Error): void {
    if (this.#last !== null && this.#frames.length === 0) return;
    this.#frames.length = 0;
    this.#last = null;
    this.fail(error);
  }

  #taken(frame: ArrivedFrame): ArrivedFrame {
    this.#bytes -= frame.payload.length;
    if (this.#bytes < this.#bytesMax) this.#room();
    return frame;
  }

  #close(last: BacklogEnd): void {
    this.#last ??= last;
    this.#changed();
    this.#room();
  }
}
