/** Server-sent events of a stream's tail: the exact wire of protocol section 9.1, towards one reader. */
import { pingIntervalMs, tailBacklogBytesMax, tailStallMs } from '../domain/limits.ts';
import type { StoredRecord } from '../domain/record.ts';
import type { RecordBatch } from '../streams/record-batch.ts';
import type { TailEnd, TailSink } from '../streams/tail.ts';
import type { Exchange } from './route.ts';

export interface EventStream extends TailSink {
  /** Says why, as far as the wire can, and ends the answer. */
  finish(end: TailEnd): void;
}

export interface EventStreamOptions {
  readonly isSettled: boolean;
  /** The connection is gone. */
  readonly onGone: () => void;
}

/** Sends headers and a first flush at once: clients give up on an answer without headers, proxies wait for bytes. */
export function openEventStream(exchange: Exchange, { isSettled, onGone }: EventStreamOptions): EventStream {
  const response = exchange.res;
  exchange.respond = false;
  exchange.status = 200;
  exchange.set({
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
    'X-Stream-Version': 'v2',
    'Access-Control-Expose-Headers': `${exchange.response.get('Access-Control-Expose-Headers')},*`,
    ...(isSettled ? { 'X-Session-Settled': 'true' } : {}),
  });
  response.flushHeaders();
  response.write(':\n\n');
  let told: RecordBatch | null = null;
  const ping = setInterval(() => {
    // A reader that is behind gets its records first.
    if (response.writableLength === 0) response.write(pingFrame(told, Date.now()));
  }, pingIntervalMs);
  const gone = () => {
    clearInterval(ping);
    onGone();
  };
  // Who left while the stream was looked up is gone already, and no event will say so again.
  if (response.destroyed) gone();
  else response.once('close', gone);
  return {
    deliver(batch) {
      told = batch;
      response.write(batchFrame(batch));
      return response.writableLength < tailBacklogBytesMax;
    },
    drained: (left) => drained(exchange, left),
    finish(end) {
      clearInterval(ping);
      if (end === 'gone' || response.destroyed) return void response.destroy();
      response.end(lastFrame[end]);
      // What a reader does not take must not keep the socket for ever.
      const cut = setTimeout(() => response.destroy(), tailStallMs);
      response.once('close', () => clearTimeout(cut));
    },
  };
}

/** Clients take a clean end for the end; an error has them come back with their cursor. */
const lastFrame: Readonly<Record<Exclude<TailEnd, 'gone'>, string>> = {
  quiet: 'data: [DONE]\n\n',
  done: 'data: [DONE]\n\n',
  revoked: 'event: error\ndata: The key behind this stream is no longer valid\n\n',
  stopped: 'event: error\ndata: The server is stopping; resume after the last seq\n\n',
};

/** A batch goes to all readers of its stream: its bytes are made once. */
const frames = new WeakMap<RecordBatch, Buffer>();

function batchFrame(batch: RecordBatch): Buffer {
  const made = frames.get(batch);
  if (made !== undefined) return made;
  const records = batch.records.map(recordJson).join(',');
  const id = batch.end - 1;
  const frame = Buffer.from(`id: ${id}\nevent: batch\ndata: {"records":[${records}],"tail":${tailJson(batch)}}\n\n`);
  frames.set(batch, frame);
  return frame;
}

function recordJson({ seq, atMs, headers, body }: StoredRecord): string {
  const own = headers.length === 0 ? '' : `,"headers":${JSON.stringify(headers)}`;
  return `{"seq_num":${seq},"timestamp":${atMs},"body":${JSON.stringify(body)}${own}}`;
}

/** Next seq after what this reader has been told, so that it never runs ahead of the records. */
const tailJson = (batch: RecordBatch): string =>
  JSON.stringify({ seq_num: batch.end, timestamp: batch.records.at(-1)?.atMs ?? 0 });

/** Carries the cursor, too: a reader that is cut off before its next record resumes where it was. */
function pingFrame(told: RecordBatch | null, nowMs: number): string {
  if (told === null) return `event: ping\ndata: {"timestamp":${nowMs}}\n\n`;
  return `id: ${told.end - 1}\nevent: ping\ndata: {"timestamp":${nowMs},"tail":${tailJson(told)}}\n\n`;
}

function drained({ res: response }: Exchange, left: AbortSignal): Promise<void> {
  if (response.writableLength < tailBacklogBytesMax || left.aborted) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => () => {
      clearTimeout(stalled);
      response.off('drain', onDrain).off('close', onClose);
      left.removeEventListener('abort', onDrain);
      act();
    };
    const onDrain = settle(resolve);
    const onClose = settle(() => reject(new Error('the reader has gone')));
    const stalled = setTimeout(
      settle(() => reject(new Error(`the reader took less than its backlog in ${tailStallMs} ms`))),
      tailStallMs,
    );
    response.once('drain', onDrain).once('close', onClose);
    left.addEventListener('abort', onDrain, { once: true });
  });
}
