/**
 * Frames of an append session: three bytes of length, which count the flag byte and the payload; the flag byte; the
 * payload (protocol section 11.2).
 */
import { gunzipSync } from 'node:zlib';
import { s2FrameBytesMax } from './limits.ts';
import { refuse, type S2Refusal } from './refusal.ts';

const lengthBytes = 3;
const terminalFlag = 0x80;
const compressionMask = 0x60;
const gzipFlag = 0x40;

export function encodeFrame(payload: Uint8Array, flag = 0): Buffer {
  const head = Buffer.alloc(lengthBytes + 1);
  head.writeUIntBE(payload.byteLength + 1, 0, lengthBytes);
  head.writeUInt8(flag, lengthBytes);
  return Buffer.concat([head, payload]);
}

/** The last frame of a session that fails: without it, the client would wait for its acknowledgements for ever. */
export function encodeTerminalFrame({ status, body }: S2Refusal): Buffer {
  const code = Buffer.alloc(2);
  code.writeUInt16BE(status);
  return encodeFrame(Buffer.concat([code, Buffer.from(JSON.stringify(body))]), terminalFlag);
}

/** Cuts a stream of bytes into the payloads of its frames, wherever the bytes are split. */
export class FrameCutter {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  /** Whether a part of a frame has come, and not all of it. */
  get isInside(): boolean {
    return this.#bytes > 0;
  }

  /** The frames that are complete now. Throws `S2Error` at the first that is malformed. */
  *push(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= lengthBytes) {
      const length = this.#head(lengthBytes).readUIntBE(0, lengthBytes);
      if (length === 0 || length > s2FrameBytesMax) {
        return refuse('bad_frame', `A frame has 1 to ${s2FrameBytesMax} bytes, not ${length}`);
      }
      if (this.#bytes < lengthBytes + length) return;
      const frame = this.#take(lengthBytes + length);
      yield payloadOf(frame.readUInt8(lengthBytes), frame.subarray(lengthBytes + 1));
    }
  }

  #head(count: number): Buffer {
    const [first] = this.#chunks;
    return first !== undefined && first.length >= count ? first : this.#joined();
  }

  #take(count: number): Buffer {
    const joined = this.#head(count);
    const rest = joined.subarray(count);
    if (rest.length > 0) this.#chunks[0] = rest;
    else this.#chunks.shift();
    this.#bytes -= count;
    return joined.subarray(0, count);
  }

  /** Only when a frame is complete, or its length is split: so each byte is copied twice at most. */
  #joined(): Buffer {
    const joined = Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks.splice(0, this.#chunks.length, joined);
    return joined;
  }
}

function payloadOf(flag: number, payload: Buffer): Buffer {
  if ((flag & terminalFlag) !== 0) return refuse('bad_frame', 'A client ends its session without a terminal frame');
  const compression = flag & compressionMask;
  if ((flag & ~compressionMask) !== 0) return refuse('bad_frame', 'Reserved bits of a frame are set');
  if (compression === 0) return payload;
  if (compression !== gzipFlag) return refuse('bad_frame', 'Only gzip frames are taken');
  try {
    return gunzipSync(payload, { maxOutputLength: s2FrameBytesMax - 1 });
  } catch {
    return refuse('bad_frame', 'A gzip frame is damaged or too large');
  }
}
