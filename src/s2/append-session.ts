/**
 * An append session: frames come in, one acknowledgement leaves for each, in order. A session appends one frame at a
 * time, so a frame that fails is the last of its session: the client sends it and its followers again on another one.
 *
 * Loops and their bounds: reading stops at 4 MiB of frames that wait, and ends with the request; a part of a frame is
 * waited for 20 s, an append 4 s from the arrival of its frame. Whatever goes wrong ends in a terminal frame: a session
 * that ends without its acknowledgements leaves the client waiting for ever.
 */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Readable } from 'node:stream';
import { ackMessage } from './ack.ts';
import { append, type Writer } from './append.ts';
import { readProtobuf } from './append-input.ts';
import { type ArrivedFrame, FrameBacklog } from './frame-backlog.ts';
import { encodeFrame, FrameCutter } from './frames.ts';
import { s2AckDeadlineMs, s2BacklogBytesMax, s2ReadDeadlineMs } from './limits.ts';
import { refusal, S2Error, type S2Refusal } from './refusal.ts';
import { partIdOfFrame } from './repeated-frame.ts';
import { type Response, SessionWire } from './session-wire.ts';

export type Request = IncomingMessage | Http2ServerRequest;

export interface SessionParts {
  readonly writer: Writer;
  readonly request: Request;
  readonly response: Response;
  /** Aborted when the process stops: what is under way is acknowledged, what waits is left to the next process. */
  readonly stopping: AbortSignal;
  /** Turns whatever was thrown into what the client may know of it. */
  readonly refusalFor: (thrown: unknown) => S2Refusal;
}

/** Resolves when the session has ended, in whichever way. */
export async function serveAppendSession(parts: SessionParts): Promise<void> {
  const { request, response, stopping } = parts;
  const backlog = new FrameBacklog(s2BacklogBytesMax);
  const wire = new SessionWire(response, () => backlog.end('gone'));
  const stop = () => backlog.refuseRest(new S2Error(refusal('unavailable', 'The server is stopping; try again')));
  stopping.addEventListener('abort', stop);
  if (stopping.aborted) stop();
  wire.open();
  void readFrames(request, backlog);
  try {
    for (let frame = await backlog.next(); frame !== null; frame = await backlog.next()) {
      await wire.write(encodeFrame(await appendFrame(parts.writer, frame)));
    }
    wire.end();
  } catch (thrown) {
    wire.fail(parts.refusalFor(thrown));
  } finally {
    stopping.removeEventListener('abort', stop);
    backlog.end('gone');
  }
  await wire.closed;
}

/** @returns its acknowledgement */
async function appendFrame(writer: Writer, frame: ArrivedFrame): Promise<Uint8Array> {
  const input = readProtobuf(frame.payload);
  const range = await append(writer, {
    ...input,
    partId: partIdOfFrame(frame.payload, input.records),
    withinMs: frame.arrivedAtMs + s2AckDeadlineMs - performance.now(),
  });
  return ackMessage(range);
}

/** Never rejects: a malformed frame ends the session in its turn, and a broken connection has nobody to be told. */
async function readFrames(request: Request, backlog: FrameBacklog): Promise<void> {
  const cutter = new FrameCutter();
  let overdue: NodeJS.Timeout | undefined;
  const giveUp = () => backlog.fail(new S2Error(refusal('request_timeout', 'The rest of a frame did not come')));
  try {
    // To leave the loop must not destroy the request, and with it the connection that the answer travels on.
    for await (const chunk of (request as Readable).iterator({ destroyOnReturn: false })) {
      for (const payload of cutter.push(chunk as Buffer)) {
        clearTimeout(overdue);
        overdue = undefined;
        await backlog.push({ payload, arrivedAtMs: performance.now() });
      }
      if (backlog.isOver) return;
      if (cutter.isInside) overdue ??= setTimeout(giveUp, s2ReadDeadlineMs);
    }
    if (cutter.isInside) backlog.fail(new S2Error(refusal('bad_frame', 'The last frame is not whole')));
    else backlog.end('done');
  } catch (thrown) {
    if (thrown instanceof S2Error) backlog.fail(thrown);
    else backlog.end('gone');
  } finally {
    clearTimeout(overdue);
  }
}
