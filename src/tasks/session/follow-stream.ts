/**
 * A stream's records from a seq on, for ever: when the tail ends or breaks, it is opened again after the last
 * record that was seen. Records are read as they are asked for, so a slow task holds back its server, not its memory.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { tailTimeoutMaxSeconds } from '../../domain/limits.ts';
import {
  tailFrameLengthMax,
  tailOpenTimeoutMs,
  tailReopenFirstMs,
  tailReopenMaxMs,
  tailSilenceMs,
} from '../../domain/task-limits.ts';
import { describeFault, jittered, parseJson } from '../http-answer.ts';
import type { TaskLog } from '../task-log.ts';
import type { SessionApi } from './session-api.ts';
import { SessionError } from './session-error.ts';

export interface FollowedRecord {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export interface FollowOptions {
  readonly api: SessionApi;
  readonly path: string;
  /** Seq of the first record that is wanted. */
  readonly from: number;
  /** Its reason is thrown. */
  readonly signal: AbortSignal;
  readonly log: TaskLog;
}

/** @throws SessionError when opening it again cannot help */
export async function* followStream(options: FollowOptions): AsyncGenerator<FollowedRecord, never> {
  const { signal, log } = options;
  let { from } = options;
  for (let pauseMs = 0; ; ) {
    const openedAtMs = Date.now();
    try {
      for await (const record of tailOnce({ ...options, from })) {
        // A server that was restored from a backup, or a proxy that repeats: nothing is delivered twice.
        if (record.seq < from) continue;
        from = record.seq + 1;
        pauseMs = 0;
        yield record;
      }
      // Ended in order. One that ends as soon as it is open is not asked for again without a pause.
      pauseMs = Date.now() - openedAtMs > tailReopenMaxMs ? 0 : longer(pauseMs);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof SessionError && error.code !== 'unreachable') throw error;
      log.debug({ path: options.path, from }, `the tail is opened again: ${describeFault(error)}`);
      pauseMs = longer(pauseMs);
    }
    await delay(jittered(pauseMs), undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
}

const longer = (pauseMs: number): number => Math.min(Math.max(pauseMs * 2, tailReopenFirstMs), tailReopenMaxMs);

/** Ends when the server ends it in order; throws when it breaks, falls silent, or says that it is stopping. */
async function* tailOnce({ api, path, from, signal }: FollowOptions): AsyncGenerator<FollowedRecord> {
  const leaving = new AbortController();
  const either = AbortSignal.any([signal, leaving.signal]);
  try {
    const response = await within(
      tailOpenTimeoutMs,
      api.open({
        method: 'GET',
        path,
        headers: {
          accept: 'text/event-stream',
          'timeout-seconds': String(tailTimeoutMaxSeconds),
          ...(from === 0 ? {} : { 'last-event-id': String(from - 1) }),
        },
        signal: either,
      }),
    );
    if (response.body === null) return;
    const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
    const frames = frameReader();
    for (;;) {
      // Silence is a dead connection: a living one says something every few seconds.
      const { done, value } = await within(tailSilenceMs, reader.read());
      if (done) return;
      yield* frames.recordsIn(value);
    }
  } finally {
    leaving.abort();
  }
}

async function within<Value>(limitMs: number, promise: Promise<Value>): Promise<Value> {
  const late = new AbortController();
  const deadline = delay(limitMs, undefined, { signal: late.signal }).then(() => {
    throw new SessionError('unreachable', `nothing came for ${limitMs} ms`);
  });
  // Both lose their race now and then, and nobody else listens.
  deadline.catch(() => undefined);
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    late.abort();
  }
}

/** Finds the records in the bytes as they come; what came before a fault is told before it. */
function frameReader(): { recordsIn(bytes: Uint8Array): Iterable<FollowedRecord> } {
  const decoder = new TextDecoder();
  let events: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (event) => void events.push(event),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw error;
    },
    maxBufferSize: tailFrameLengthMax,
  });
  return {
    *recordsIn(bytes) {
      events = [];
      parser.feed(decoder.decode(bytes, { stream: true }));
      for (const { event, data } of events) {
        if (event === 'error') throw new SessionError('unreachable', `the tail ended: ${data}`);
        if (event === 'batch') yield* recordsOf(data);
      }
    },
  };
}

function recordsOf(frame: string): FollowedRecord[] {
  const { records } = (parseJson(frame) ?? {}) as { records?: unknown };
  if (!Array.isArray(records)) throw new SessionError('unreachable', 'the tail holds a batch that is none');
  return records.map(recordOf);
}

function recordOf(given: unknown): FollowedRecord {
  const { seq_num: seq, timestamp, headers, body } = (given ?? {}) as Record<string, unknown>;
  if (typeof seq !== 'number' || typeof body !== 'string') {
    throw new SessionError('unreachable', 'the tail holds a record that is none');
  }
  return {
    seq,
    atMs: typeof timestamp === 'number' ? timestamp : 0,
    headers: Array.isArray(headers) ? (headers as FollowedRecord['headers']) : [],
    body,
  };
}
