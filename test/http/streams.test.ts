/** The streams over HTTP, end to end: append, records, tails, and the run that a record wakes. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Call } from '../harness/api.ts';
import { dataOf, type EventStreamClient, hearsSeqs, openEventStream } from '../harness/event-stream.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { startTestTasks, type TestTasks } from '../harness/tasks.ts';
import { headOf, openRaw } from './edge.ts';

let site: Site;
let server: TestServer;
let tasks: TestTasks;
beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
  tasks = await startTestTasks({ site, server });
});
afterAll(async () => {
  await tasks?.stop();
  await server?.stop();
  await site?.remove();
});

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

let sessions = 0;

/** A new session's row and its two names. */
async function create(changes: Record<string, unknown> = {}) {
  sessions += 1;
  const { body } = await server.api.create({ externalId: `streams/${sessions}`, ...changes });
  return { ...body, key: encodeURIComponent(body.externalId) } as {
    id: string;
    runId: string;
    key: string;
    publicAccessToken: string;
  };
}

const pathOf = (key: string, rest: string): string => `/realtime/v1/sessions/${key}/${rest}`;

const append = (key: string, text: string, { io = 'in', ...call }: Call & { io?: string } = {}) =>
  server.api.call(pathOf(key, `${io}/append`), { ...call, method: 'POST', body: text });

const records = async (key: string, io = 'in', query = '') =>
  (await server.api.call(pathOf(key, `${io}/records${query}`))).body.records;

const follow = (key: string, headers: Record<string, string> = {}, io = 'in'): Promise<EventStreamClient> =>
  openEventStream(`${server.url}${pathOf(key, io)}`, { key: site.devKey, headers });

const close = (key: string, body: Record<string, unknown> = {}) =>
  server.api.call(`/api/v1/sessions/${key}/close`, { method: 'POST', body });

test('I5: a record for a session whose run is over wakes the next run, and can be read by it', async () => {
  const session = await create({ taskIdentifier: 'quick' });
  await server.api.runWhen(session.runId, (run) => run.isCompleted);
  const answer = await append(session.key, '{"kind":"message"}', { headers: { 'X-Part-Id': 'one' } });
  expect([answer.status, answer.body]).toEqual([200, { ok: true, seq: 0 }]);
  await vi.waitFor(() => expect(tasks.of(session.id).map((run) => run.runNumber)).toEqual([1, 2]), 10_000);
  expect((await append(session.id, 'again', { headers: { 'X-Part-Id': 'one' } })).body).toEqual({ ok: true, seq: 0 });
  expect(await records(session.id)).toEqual([{ data: '{"kind":"message"}', id: 'one', seqNum: 0 }]);
});

describe('append', () => {
  test('refuses in the words of the protocol, with CORS on each refusal', async () => {
    const session = await create();
    const headers = { Origin: 'https://app.test' };
    const publicOut = await append(session.key, 'x', { io: 'out', key: session.publicAccessToken, headers });
    expect([publicOut.status, publicOut.body]).toEqual([
      403,
      { ok: false, error: 'Appending to the out channel requires secret key authentication' },
    ]);
    const missing = await append('nobody', 'x', { headers });
    expect([missing.status, missing.body]).toEqual([404, { error: 'Resource not found' }]);
    const hidden = await append('nobody', 'x', { key: session.publicAccessToken, headers });
    expect([hidden.status, hidden.body.code]).toEqual([403, 'unauthorized']);
    const direction = await append(session.key, 'x', { io: 'both', headers });
    expect([direction.status, direction.body.error]).toEqual([400, 'Params Error']);
    const partId = await append(session.key, 'x', { headers: { ...headers, 'X-Part-Id': 'p'.repeat(257) } });
    expect(partId.status).toBe(400);
    const large = await append(session.key, 'x'.repeat(1_048_577), { headers });
    expect([large.status, large.body]).toEqual([413, { error: 'Request body too large' }]);
    const metered = await append(session.key, 'x'.repeat(1_048_576), { headers: { ...headers, 'X-Part-Id': 'p' } });
    expect([metered.status, metered.body.ok]).toEqual([413, false]);
    expect(metered.body.error).toContain(
      'Record metered size 1048604 bytes exceeds the S2 per-record limit of 1048576',
    );
    for (const answer of [publicOut, missing, hidden, direction, partId, large, metered]) {
      expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.test');
    }
    expect(await records(session.key)).toEqual([]);
  });

  test('a closed session refuses with its reason, and is not to be tried again', async () => {
    const session = await create();
    await close(session.key, { reason: 'done' });
    const answer = await append(session.id, 'x');
    expect(answer.status).toBe(409);
    expect(answer.body).toEqual({
      ok: false,
      error: 'Cannot append to a closed session',
      code: 'session_closed',
      closedReason: 'done',
    });
    expect(answer.headers.get('x-should-retry')).toBe('false');
  });

  test('an expired session refuses', async () => {
    const session = await create({ expiresAt: new Date(Date.now() + 1_500).toISOString() });
    await vi.waitFor(async () => {
      const answer = await append(session.key, 'x');
      expect([answer.status, answer.body]).toEqual([400, { ok: false, error: 'Cannot append to an expired session' }]);
    }, 10_000);
  });

  test('takes the largest record, a token for either form of the key, and no webhook mark', async () => {
    const session = await create();
    const token = session.publicAccessToken;
    const text = 'x'.repeat(1_048_576 - 8 - '{"data":"","id":"p"}'.length);
    expect((await append(session.id, text, { key: token, headers: { 'X-Part-Id': 'p' } })).body.seq).toBe(0);
    const marked = '{"payload":{"action\\u0053ource":"webhook","a":1}}';
    expect((await append(session.key, marked, { key: token })).body.seq).toBe(1);
    const [, second] = await records(session.key);
    expect(second.data).toBe('{"payload":{"a":1}}');
    expect(second.id).toMatch(/^[\w-]{7}$/);
  });
});

describe('records and HEAD', () => {
  test('show what is retained after a cursor; nothing of a stream that was never written', async () => {
    const session = await create();
    for (const text of ['a', 'b', 'c']) await append(session.key, text, { io: 'out' });
    expect((await records(session.key, 'out', '?afterEventId=0')).map((record: any) => record.seqNum)).toEqual([1, 2]);
    expect(await records(session.key, 'out', '?afterEventId=99999999999999999999')).toEqual([]);
    expect(await records('not-yet-there', 'in')).toEqual([]);
    const query = await server.api.call(pathOf(session.key, 'out/records?afterEventId=x'));
    expect([query.status, query.body.error]).toEqual([400, 'Query Error']);
    const missing = await server.api.call(pathOf(`session_${'0'.repeat(25)}`, 'out/records'));
    expect([missing.status, missing.body]).toEqual([404, { error: 'Not found' }]);
    const tail = async (key: string) =>
      (await server.api.call(pathOf(key, 'out'), { method: 'HEAD' })).headers.get('x-last-chunk-index');
    expect([await tail(session.key), await tail('not-yet-there')]).toEqual(['2', '-1']);
  });

  test('a side channel is a stream of its own', async () => {
    const session = await create({ taskIdentifier: 'quick' });
    await server.api.runWhen(session.runId, (run) => run.isCompleted);
    expect((await append(session.key, 'x', { io: 'channels/logs.1/in' })).body).toEqual({ ok: true, seq: 0 });
    expect((await append(session.key, 'x', { io: 'channels/logs 1/in' })).status).toBe(400);
    expect(await records(session.id, 'channels/logs.1/in')).toMatchObject([{ data: 'x', seqNum: 0 }]);
    expect(await records(session.id)).toEqual([]);
    expect(tasks.of(session.id)).toHaveLength(1);
  });
});

describe('a tail', () => {
  test('is the exact wire, from the first record to the end of quiet time', async () => {
    const session = await create();
    await append(session.key, 'one', { headers: { 'X-Part-Id': 'p1' } });
    const tail = await follow(session.key, { 'Timeout-Seconds': '1', Origin: 'https://app.test' });
    expect(tail.status).toBe(200);
    expect(Object.fromEntries(tail.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'x-stream-version': 'v2',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'access-control-allow-origin': 'https://app.test',
    });
    expect(tail.headers.get('access-control-expose-headers')).toMatch(/X-Stream-Version.*,\*$/);
    await tail.ended;
    const [record] = tail.records();
    const at = record?.timestamp;
    const body = JSON.stringify(JSON.stringify({ data: 'one', id: 'p1' }));
    expect(tail.frames).toEqual([
      `id: 0\nevent: batch\ndata: {"records":[{"seq_num":0,"timestamp":${at},"body":${body}}],"tail":{"seq_num":1,"timestamp":${at}}}`,
      'data: [DONE]',
    ]);
  });

  test('resumes after its cursor, in each form of it; begins at the end when asked; waits beyond the end', async () => {
    const session = await create();
    for (const text of ['a', 'b', 'c']) await append(session.key, text);
    const tails = await Promise.all(
      [
        { 'Last-Event-ID': '1' },
        { 'Last-Event-ID': '1,2,106' },
        { 'Last-Event-ID': 'nonsense' },
        { 'X-Trigger-Stream-Start': 'latest' },
        { 'X-Trigger-Stream-Start': 'latest', 'Last-Event-ID': '0' },
        { 'Last-Event-ID': '3' },
      ].map((headers) => follow(session.id, headers as Record<string, string>)),
    );
    await hearsSeqs(tails[2] as EventStreamClient, [0, 1, 2]);
    await append(session.key, 'd');
    await append(session.key, 'e');
    const expected = [[2, 3, 4], [2, 3, 4], [0, 1, 2, 3, 4], [3, 4], [1, 2, 3, 4], [4]];
    await Promise.all(tails.map((tail, index) => hearsSeqs(tail, expected[index] as number[])));
    for (const tail of tails) tail.leave();
  });

  test('may begin before its session exists', async () => {
    const key = 'comes-later';
    const tail = await follow(key);
    await create({ externalId: key });
    await append(key, 'x');
    await hearsSeqs(tail, [0]);
    tail.leave();
  });

  test('hears what another process commits, and the close', async () => {
    const other = await startTestServer({ site, sessionWorker: false });
    const session = await create();
    const tail = await openEventStream(`${other.url}${pathOf(session.key, 'out')}`, { key: site.devKey });
    await append(session.key, 'x', { io: 'out' });
    await hearsSeqs(tail, [0]);
    await close(session.key, { reason: 'over' });
    await hearsSeqs(tail, [0, 1]);
    expect(tail.records()[1]?.headers?.[0]).toEqual(['trigger-control', 'session-closed']);
    await other.stop();
    await tail.ended;
    expect(tail.frames.at(-1)).toMatch(/^event: error\ndata: /);
  });

  test('a settled stream is answered and ended at once, one that is not settled is followed', async () => {
    const session = await create();
    await append(session.key, 'x', { io: 'out' });
    const peek = { 'X-Peek-Settled': '1' };
    const open = await follow(session.key, peek, 'out');
    expect(open.headers.get('x-session-settled')).toBeNull();
    await close(session.key);
    await hearsSeqs(open, [0, 1]);
    open.leave();
    const settled = await follow(session.key, { ...peek, 'Last-Event-ID': '0' }, 'out');
    expect(settled.headers.get('x-session-settled')).toBe('true');
    await settled.ended;
    expect(settled.records().map((record) => record.seq_num)).toEqual([1]);
    expect(dataOf(settled.frames.at(-1) ?? '')).toBe('[DONE]');
    const nothing = await follow(session.key, { ...peek, 'Last-Event-ID': '7' }, 'out');
    await nothing.ended;
    expect(nothing.frames).toEqual(['data: [DONE]']);
  });

  test('a reader that does not read for a while slows nobody, and then gets everything', async () => {
    const session = await create();
    const { port } = new URL(server.url);
    const slow = await openRaw(Number(port));
    slow.socket.pause();
    slow.send(headOf('GET', pathOf(session.key, 'out'), { Authorization: `Bearer ${site.devKey}` }));
    const quick = await follow(session.key, {}, 'out');
    const text = 'x'.repeat(200_000);
    for (const _ of range(40)) await append(session.key, text, { io: 'out' });
    await hearsSeqs(quick, range(40));
    slow.socket.resume();
    const seqsOf = (received: string) =>
      [...received.matchAll(/"seq_num":(\d+),"timestamp":\d+,"body"/g)].map(([, seq]) => Number(seq));
    await vi.waitFor(() => expect(seqsOf(slow.received())).toEqual(range(40)), 10_000);
    slow.socket.destroy();
    quick.leave();
  });

  test.each([
    ['1.5', 'Invalid timeout seconds'],
    ['0', 'Timeout seconds must be greater than 0'],
    ['601', 'Timeout seconds must be less than 600'],
  ])('refuses a timeout of %s as plain text', async (seconds, message) => {
    const response = await fetch(`${server.url}${pathOf('any', 'in')}`, {
      headers: { Authorization: `Bearer ${site.devKey}`, 'Timeout-Seconds': seconds },
    });
    expect([response.status, await response.text()]).toEqual([400, message]);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
  });
});
