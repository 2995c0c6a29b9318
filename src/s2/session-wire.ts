/** The server's half of an append session, which may break at any moment without anybody's fault. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { constants, type Http2ServerResponse } from 'node:http2';
import { encodeTerminalFrame } from './frames.ts';
import { s2AckDeadlineMs, s2ResetAfterMs } from './limits.ts';
import type { S2Refusal } from './refusal.ts';

export type Response = ServerResponse | Http2ServerResponse;

export class SessionWire {
  readonly #response: Response;
  /** Resolves when nothing of the answer is left to be sent. */
  readonly closed: Promise<void>;
  #isGone = false;

  constructor(response: Response, onGone: () => void) {
    this.#response = response;
    this.closed = new Promise((resolve) => {
      response.once('close', () => {
        this.#isGone = true;
        onGone();
        resolve();
      });
    });
  }

  /** The client waits for the head before it sends. */
  open(): void {
    this.#response.statusCode = 200;
    this.#response.setHeader('content-type', 's2s/proto');
    // Both have it; the types of one say nothing of it.
    (this.#response as ServerResponse).flushHeaders();
  }

  /** Resolves when more can be taken. Rejects when the client reads none of its acknowledgements. */
  async write(frame: Buffer): Promise<void> {
    if (this.#isGone) return;
    // Of the two types, only the common part is called.
    const response = this.#response as ServerResponse;
    if (!response.write(frame)) await once(response, 'drain', { signal: AbortSignal.timeout(s2AckDeadlineMs) });
  }

  end(): void {
    if (!this.#isGone) this.#response.end();
  }

  /** What the client is still sending is not read any more: should it not stop by itself, the stream is reset. */
  fail(refusal: S2Refusal): void {
    if (this.#isGone) return;
    (this.#response as ServerResponse).end(encodeTerminalFrame(refusal));
    const reset = setTimeout(() => this.#reset(), s2ResetAfterMs);
    reset.unref();
    this.#response.once('close', () => clearTimeout(reset));
  }

  /** With this code clients try again; with others they give up. */
  #reset(): void {
    if ('stream' in this.#response) this.#response.stream.close(constants.NGHTTP2_NO_ERROR);
    else this.#response.destroy();
  }
}
