/** How a task's tail comes through what networks and servers do to it, against a plain listener that does it. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FollowedRecord, followStream } from '../../src/tasks/session/follow-stream.ts';
import { openSessionApi } from '../../src/tasks/session/session-api.ts';
import { SessionError } from '../../src/tasks/session/session-error.ts';

type Play = (response: ServerResponse) => void;

/** What each connection gets, in order; the last one's play is repeated. */
let plays: Play[];
/** `Last-Event-ID` of each connection. */
let resumes: (string | undefined)[];
let close: () => Promise<void>;
let url: string;
let leaving: AbortController;

beforeEach(async () => {
  plays = [];
  resumes = [];
  leaving = new AbortController();
  const server = createServer(({ headers }, response) => {
    resumes.push(headers['last-event-id'] as string | undefined);
    (plays.length > 1 ? plays.shift() : plays[0])?.(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
});
afterEach(async () => {
  leaving.abort();
  await close();
});

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const wire = (...seqs: number[]): string => {
  const records = seqs.map((seq) => ({
    seq_num: seq,
    timestamp: 1,
    body: JSON.stringify({ data: `é${seq}`, id: '' }),
  }));
  return `id: ${seqs.at(-1)}\nevent: batch\ndata: ${JSON.stringify({ records })}\n\n`;
};
const done = 'data: [DONE]\n\n';

const follow = (from = 0): AsyncGenerator<FollowedRecord, never> => {
  const api = openSessionApi({
    url,
    credential: 'k',
    over: leaving.signal,
    onSuperseded: () => undefined,
  });
  return followStream({ api, path: '/in', from, signal: leaving.signal, log: silent });
};

async function read(count: number, from = 0): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { seq, body } of follow(from)) {
    expect(JSON.parse(body).data).toBe(`é${seq}`);
    if (seqs.push(seq) === count) break;
  }
  return seqs;
}

test('an end in order, a cut inside a frame, and a server that stops are all gone on from', async () => {
  plays = [
    (response) => void response.end(`:\n\n${wire(0, 1)}${done}`),
    (response) => {
      const bytes = Buffer.from(wire(2) + wire(3));
      // Inside the two bytes of a character.
      response.write(bytes.subarray(0, bytes.lastIndexOf(0xc3) + 1), () => response.destroy());
    },
    (response) => void response.end(`${wire(3)}event: error\ndata: The server is stopping\n\n`),
    (response) => void response.writeHead(503, { 'retry-after': '1' }).end('{"error":"no"}'),
    (response) => void response.destroy(),
    (response) => void response.write(`event: ping\ndata: {"timestamp":1}\n\n${wire(4, 5)}`),
  ];
  expect(await read(6)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(resumes).toEqual([undefined, '1', '2', '3', '3', '3']);
});

test('what was seen is not delivered again, whatever the server repeats', async () => {
  plays = [(response) => void response.write(wire(0, 1) + wire(1, 2) + wire(3))];
  expect(await read(3, 1)).toEqual([1, 2, 3]);
  expect(resumes).toEqual(['0']);
});

test('a record is asked for before more of the stream is read', async () => {
  plays = [(response) => void response.write(wire(0))];
  const records = follow();
  expect(resumes).toEqual([]);
  expect((await records.next()).value.seq).toBe(0);
});

test.each([
  [404, { error: 'Not found' }, 'refused'],
  [401, { error: 'Invalid API key' }, 'refused'],
])('%i is final', async (status, body, code) => {
  plays = [(response) => void response.writeHead(status).end(JSON.stringify(body))];
  const failure = await read(1).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(SessionError);
  expect(failure).toMatchObject({ code, message: expect.stringContaining(body.error) });
  expect(resumes).toHaveLength(1);
});

test('a frame that is none of ours is a fault of the way, and tried again', async () => {
  plays = [
    (response) => void response.end('event: batch\ndata: {"records":7}\n\n'),
    (response) => void response.end('event: batch\ndata: <html>\n\n'),
    (response) => void response.end('event: batch\ndata: {"records":[{"seq_num":"0"}]}\n\n'),
    (response) => void response.write(wire(0)),
  ];
  expect(await read(1)).toEqual([0]);
  expect(resumes).toHaveLength(4);
});

test('it ends with its signal, whose reason is thrown, in whatever it is doing', async () => {
  plays = [(response) => response.writeHead(200).flushHeaders()];
  const next = follow().next();
  await expect.poll(() => resumes.length).toBe(1);
  leaving.abort(new Error('the attempt has to end'));
  await expect(next).rejects.toThrow('the attempt has to end');
});
