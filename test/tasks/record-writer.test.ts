/** Records on their way to a server that is slow, away, or there again, against a plain listener. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RecordWriter } from '../../src/tasks/session/record-writer.ts';
import { openSessionApi } from '../../src/tasks/session/session-api.ts';

interface Batch {
  readonly records: readonly { readonly data: number }[];
}

let server: Server;
let writer: RecordWriter;
/** What arrived, request by request. */
let batches: number[][];
/** Statuses of the next answers; 200 when there are none left. */
let statuses: number[];

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

beforeEach(async () => {
  batches = [];
  statuses = [];
  let next = 0;
  server = createServer((request, response) => {
    void json(request).then((body) => {
      const { records } = body as Batch;
      batches.push(records.map(({ data }) => data));
      const status = statuses.shift() ?? 200;
      const seqs = records.map(() => next++);
      response.writeHead(status).end(JSON.stringify(status === 200 ? { ok: true, seqs } : { error: 'no' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api = openSessionApi({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credential: 'k',
    over: new AbortController().signal,
    onSuperseded: () => undefined,
    // Longer than the pauses between four tries.
    deadlineMs: 3_000,
  });
  writer = new RecordWriter({ api, path: '/out/records', log: silent });
});
afterEach(
  () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
);

const append = (data: number): Promise<number> => writer.append({ json: JSON.stringify({ data }), bytes: 20 });

test('what is appended while a request travels goes together in the next one', async () => {
  const first = append(0);
  await expect.poll(() => batches).toEqual([[0]]);
  const rest = [1, 2, 3].map(append);
  expect(await Promise.all([first, ...rest])).toEqual([0, 1, 2, 3]);
  expect(batches.flat()).toEqual([0, 1, 2, 3]);
  expect(batches.length).toBeLessThan(4);
});

test('a request is repeated as it was, and nothing overtakes it', async () => {
  statuses = [503, 500, 429];
  await Promise.all([append(0), append(1)]);
  await append(2);
  expect(batches).toEqual([[0, 1], [0, 1], [0, 1], [0, 1], [2]]);
});

test('a server that stays away fails the append, what waits behind it, and the end of the task', async () => {
  statuses = Array<number>(100).fill(503);
  const first = append(0);
  await expect.poll(() => batches.length).toBeGreaterThan(0);
  void append(1);
  await expect(first).rejects.toMatchObject({ code: 'unreachable' });
  await expect(writer.settled()).rejects.toMatchObject({ code: 'unreachable' });
  expect(batches.flat()).not.toContain(1);
});

test('a refusal fails the append, and leaves the end of the task to the task', async () => {
  statuses = [409];
  await expect(append(0)).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('409: no') });
  await writer.settled();
  expect(await append(1)).toBe(1);
});
