/** Readers of streams that do not read, or leave at any moment, over real sockets: what they cost, and what they leave behind. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Database } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { counted } from '../harness/counts.ts';
import { openEventStream } from '../harness/event-stream.ts';
import { openSite, type Site } from '../harness/server.ts';
import { type Lifecycle, lifecycleOf, type OpenSession } from '../storage/lifecycle.ts';
import { openStage, type StreamStage } from '../streams/stage.ts';
import { environmentOf } from '../tokens/stored-keys.ts';
import { type Edge, headOf, secretKey, startEdge } from './edge.ts';

let site: Site;
let database: Database;
let life: Lifecycle;
beforeAll(async () => {
  site = await openSite();
  database = openPostgres({ url: site.databaseUrl, poolSize: 8, onProblem: () => undefined });
  // The one that the edge's key belongs to.
  await database.query(`INSERT INTO environments (id, name) VALUES ($1, 'dev')`, [environmentOf('dev').id]);
  life = await lifecycleOf(database);
});
afterAll(async () => {
  await database?.close();
  await site?.remove();
});

interface Readers {
  readonly stage: StreamStage;
  readonly edge: Edge;
  readonly session: OpenSession;
  /** Connected, with its request sent; nothing is read of what comes. */
  open(headers?: Record<string, string>): Promise<Socket>;
}

async function withReaders(tell: (readers: Readers) => Promise<void>): Promise<void> {
  const stage = await openStage(database);
  const edge = await startEdge({ streams: stage.streams });
  const session = await life.open();
  try {
    await tell({
      stage,
      edge,
      session,
      open: (headers = {}) =>
        new Promise((resolve) => {
          const socket = connect({ port: edge.port, host: '127.0.0.1' }, () => {
            socket.pause();
            socket.write(headOf('GET', `/realtime/v1/sessions/${session.view.sessionId}/in`, headers));
            resolve(socket);
          });
          socket.on('error', () => undefined);
        }),
    });
  } finally {
    await edge.close();
  }
}

const allowedBytes = 5 * 1_048_576;
/** What the kernel takes off the server's hands for a reader that never reads is some megabytes, too. */
const loadBytesMin = 24 * 1_048_576;

test('a reader that never reads costs at most 5 MB, is cut off, and slows nobody', { timeout: 180_000 }, async () => {
  await withReaders(async ({ stage, edge, session, open }) => {
    const waiting = watchUnsent('x-reader');
    const stalled = await Promise.all(Array.from({ length: 8 }, () => open({ 'X-Reader': 'stalled' })));
    const url = `${edge.url}/realtime/v1/sessions/${session.view.sessionId}/in`;
    const quick = await openEventStream(url, { key: secretKey });
    await vi.waitFor(() => expect(stage.streams.usage().tails).toBe(stalled.length + 1));
    // Each quote is four bytes on the wire: no text grows more. All that arrive at once travel together.
    const text = '"'.repeat(100_000);
    const count = Math.ceil(loadBytesMin / (4 * text.length));
    await Promise.all(Array.from({ length: count }, () => stage.seqOf(session, text)));
    await vi.waitFor(() => expect(quick.records()).toHaveLength(count), { timeout: 60_000, interval: 100 });
    expect(quick.records().map(({ seq_num: seq }) => seq)).toEqual(Array.from({ length: count }, (_, seq) => seq));
    quick.leave();
    expect(waiting.count()).toBe(stalled.length);
    expect(waiting.bytesMax()).toBeGreaterThan(0);
    expect(waiting.bytesMax()).toBeLessThan(allowedBytes);
    await vi.waitFor(() => expect(stage.streams.usage()).toEqual({ tails: 0, watched: 0 }), 90_000);
    for (const socket of stalled) socket.destroy();
    waiting.stop();
  });
});

test('readers that leave at any moment leave no listener, no timer and no connection behind', {
  timeout: 180_000,
}, async () => {
  await withReaders(async ({ stage, edge, session, open }) => {
    await stage.seqOf(session, 'first');
    const before = timers();
    const total = counted(1_000, 5_000);
    for (let begun = 0; begun < total; begun += 200) {
      const readers = await Promise.all(Array.from({ length: 200 }, () => open()));
      // Some leave before they are answered, some as a record is on its way, some after it.
      for (const socket of readers.slice(0, 70)) socket.destroy();
      const appending = stage.seqOf(session, 'more');
      for (const socket of readers.slice(70, 140)) socket.destroy();
      await appending;
      for (const socket of readers.slice(140)) socket.destroy();
    }
    await vi.waitFor(() => expect(stage.streams.usage()).toEqual({ tails: 0, watched: 0 }), 30_000);
    await vi.waitFor(() => expect(database.usage()).toEqual({ busy: 0, waiting: 0 }), 10_000);
    // Each reader has a ping of its own, and a timer for its quiet time.
    await vi.waitFor(() => expect(timers()).toBeLessThanOrEqual(before + 20), 30_000);
    expect(edge.facts.filter((fact) => fact.kind === 'request_answered').length).toBeGreaterThan(total / 2);
  });
});

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

/** Bytes that wait in this process for the readers that name themselves by a header, after each write. */
function watchUnsent(header: string) {
  let bytesMax = 0;
  let count = 0;
  const watch = (message: unknown): void => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    if (request.headers[header] === undefined) return;
    count += 1;
    const write = response.write.bind(response) as (chunk: unknown) => boolean;
    response.write = ((chunk: unknown) => {
      const hasRoom = write(chunk);
      bytesMax = Math.max(bytesMax, response.writableLength);
      return hasRoom;
    }) as typeof response.write;
  };
  subscribe('http.server.request.start', watch);
  return {
    count: () => count,
    bytesMax: () => bytesMax,
    stop: () => void unsubscribe('http.server.request.start', watch),
  };
}
