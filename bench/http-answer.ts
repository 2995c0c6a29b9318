/** An answer of HTTP/1.1 taken apart as it arrives: by its length, in chunks, or without a body. */

export interface AnswerHead {
  readonly status: number;
  /** Status line and headers. */
  readonly text: string;
}

type Body =
  | { readonly kind: 'head' }
  /** `left` bytes of the body, or of a chunk and the line end after it. */
  | { readonly kind: 'sized'; left: number }
  | { readonly kind: 'chunk'; left: number }
  | { readonly kind: 'chunk size' }
  | { readonly kind: 'trailer' }
  | { readonly kind: 'complete' };

const noBytes: Buffer = Buffer.alloc(0);

export class AnswerReader {
  readonly #onBody: (bytes: Buffer) => void;
  #state: Body = { kind: 'head' };
  /** What arrived and could not be taken apart yet. */
  #rest = noBytes;
  #head: AnswerHead | null = null;

  /** @param onBody called with the pieces of the body */
  constructor(onBody: (bytes: Buffer) => void) {
    this.#onBody = onBody;
  }

  /** Null until it has arrived. */
  get head(): AnswerHead | null {
    return this.#head;
  }

  /** True once the answer is complete. */
  take(bytes: Buffer): boolean {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#step());
    return this.#state.kind === 'complete';
  }

  /** False when it needs more bytes, and at the end. */
  #step(): boolean {
    const state = this.#state;
    switch (state.kind) {
      case 'head':
        return this.#takeLine('\r\n\r\n', (text) => this.#begin(text));
      case 'chunk size':
        return this.#takeLine('\r\n', (text) => {
          const left = Number.parseInt(text, 16);
          this.#state = left === 0 ? { kind: 'trailer' } : { kind: 'chunk', left };
        });
      case 'trailer':
        return this.#takeLine('\r\n', (text) => {
          if (text === '') this.#state = { kind: 'complete' };
        });
      case 'sized':
        return this.#takeBody(state, () => ({ kind: 'complete' }));
      case 'chunk':
        if (state.left === 0) return this.#takeLine('\r\n', () => void (this.#state = { kind: 'chunk size' }));
        return this.#takeBody(state, () => state);
      case 'complete':
        return false;
    }
  }

  #begin(text: string): void {
    this.#head = { status: Number(text.slice(9, 12)), text };
    const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
    if (/\r\ntransfer-encoding: chunked/i.test(text)) this.#state = { kind: 'chunk size' };
    else if (Number(length ?? 0) > 0) this.#state = { kind: 'sized', left: Number(length) };
    else this.#state = { kind: 'complete' };
  }

  #takeLine(end: string, then: (text: string) => void): boolean {
    const at = this.#rest.indexOf(end);
    if (at < 0) return false;
    const text = this.#rest.toString('latin1', 0, at);
    this.#rest = this.#rest.subarray(at + end.length);
    then(text);
    return true;
  }

  #takeBody(state: { left: number }, next: () => Body): boolean {
    if (this.#rest.length === 0) return false;
    const taken = this.#rest.subarray(0, state.left);
    this.#rest = this.#rest.subarray(taken.length);
    state.left -= taken.length;
    if (state.left === 0) this.#state = next();
    this.#onBody(taken);
    return true;
  }
}
