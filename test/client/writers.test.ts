/** Writers of the official client, unchanged: what it appends to `out`, through the S2 data plane on the API's own port. */
import { configure, sessions } from '@trigger.dev/sdk';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { openEventStream } from '../harness/event-stream.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { startTestTasks, type TestTasks } from '../harness/tasks.ts';
import { recordsOf, sessionPath, type WrittenRecord } from './written-records.ts';

let site: Site;
let server: TestServer;
let tasks: TestTasks;

beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
  tasks = await startTestTasks({ site, server });
  // Of the whole process: no other test file runs in it.
  configure({ baseURL: server.url, accessToken: site.devKey });
});

afterAll(async () => {
  await tasks?.stop();
  await server?.stop();
  await site?.remove();
});

async function open(externalId: string) {
  const { status } = await server.api.create({ externalId, taskIdentifier: 'hold' });
  if (status !== 201) throw new Error(`create answered ${status}`);
  return sessions.open(externalId);
}

const written = (externalId: string, path = 'out'): Promise<WrittenRecord[]> => recordsOf(server, externalId, path);

async function* count(to: number) {
  for (let part = 0; part < to; part += 1) yield { part };
}

describe.concurrent('a writer of out', () => {
  test('appends single records', async ({ expect }) => {
    const { out } = await open('s2 ü/append');
    await out.append({ text: 'é\u0000\ud83d\ude00' });
    await out.append('two');
    const records = await written('s2 ü/append');
    expect(records.map(({ data }) => data)).toEqual([{ text: 'é\u0000\ud83d\ude00' }, 'two']);
    expect(records.map(({ seqNum }) => seqNum)).toEqual([0, 1]);
  });

  test('pipes a stream, in order, and is told where it ended', async ({ expect }) => {
    const { out } = await open('s2-pipe');
    const piped = await out.pipe(count(500)).waitUntilComplete();
    const records = await written('s2-pipe');
    expect(records.map(({ data }) => data)).toEqual(Array.from({ length: 500 }, (_, part) => ({ part })));
    expect(piped.lastEventId).toBe('499');
    expect(await out.pipe(count(0)).waitUntilComplete()).toEqual({ lastEventId: undefined });
  });

  test('writes parts one by one and merges streams', async ({ expect }) => {
    const { out } = await open('s2-writer');
    const { waitUntilComplete } = out.writer<{ part: number }>({
      execute: ({ write, merge }) => {
        write({ part: -1 });
        merge(ReadableStream.from(count(3)) as ReadableStream<{ part: number }>);
      },
    });
    await waitUntilComplete();
    const parts = (await written('s2-writer')).map(({ data }) => (data as { part: number }).part);
    expect(parts[0]).toBe(-1);
    expect(parts.toSorted((a, b) => a - b)).toEqual([-1, 0, 1, 2]);
  });

  test('writes control records, which settle the stream, and trims it', async ({ expect }) => {
    const { out } = await open('s2-control');
    await out.append('first turn');
    const first = await out.writeControl('turn-complete', [['session-in-event-id', '3']]);
    await out.append('second turn');
    const second = await out.writeControl('turn-complete');
    expect([first.lastEventId, second.lastEventId]).toEqual(['1', '3']);
    await out.trimTo(1);
    const records = await written('s2-control');
    expect(records).toEqual([
      {
        seqNum: 1,
        data: '',
        id: '',
        headers: [
          ['trigger-control', 'turn-complete'],
          ['session-in-event-id', '3'],
        ],
      },
      { seqNum: 2, data: 'second turn', id: expect.any(String) },
      { seqNum: 3, data: '', id: '', headers: [['trigger-control', 'turn-complete']] },
    ]);
    const peek = { key: site.devKey, headers: { 'X-Peek-Settled': '1' } };
    const settled = await openEventStream(`${server.url}${sessionPath('s2-control')}/out`, peek);
    await settled.ended;
    expect(settled.headers.get('x-session-settled')).toBe('true');
    expect(settled.records().map(({ seq_num: seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  test('of a named side channel has a stream of its own', async ({ expect }) => {
    const session = await open('s2-channel');
    const channel = session.channel('logs.1');
    await channel.out.append({ line: 1 });
    await channel.out.pipe(count(3)).waitUntilComplete();
    expect(await written('s2-channel')).toEqual([]);
    expect(await written('s2-channel', 'channels/logs.1/out')).toHaveLength(4);
  });

  test('pipes 6 MB in 2,500 records', async ({ expect }) => {
    const { out } = await open('s2-large');
    const chunk = 'x'.repeat(2_400);
    async function* large() {
      for (let part = 0; part < 2_500; part += 1) yield `${part} ${chunk}`;
    }
    const { lastEventId } = await out.pipe(large()).waitUntilComplete();
    expect(lastEventId).toBe('2499');
    const records = await written('s2-large');
    expect(records.map(({ data }) => Number(String(data).split(' ')[0]))).toEqual(
      Array.from({ length: 2_500 }, (_, part) => part),
    );
  });

  test('shares a connection with fifty others, and none loses a record', async ({ expect }) => {
    const { out } = await open('s2-parallel');
    await Promise.all(Array.from({ length: 50 }, (_, part) => out.append({ part })));
    const parts = (await written('s2-parallel')).map(({ data }) => (data as { part: number }).part);
    expect(parts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, part) => part));
  });
});
