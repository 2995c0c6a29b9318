/** What a task writes to its session: once, in order, durable before the run ends, and refused in words that help. */
import { afterAll, beforeAll, describe, test, vi } from 'vitest';
import type { SessionError } from '../../src/tasks/index.ts';
import { type ConversationStage, openConversationStage, patience } from './conversation-stage.ts';

let stage: ConversationStage;
beforeAll(async () => {
  stage = await openConversationStage();
});
afterAll(() => stage?.close());

describe.concurrent('session.out', () => {
  test('is durable before the run ends, awaited or not, and keeps the order', async ({ expect }) => {
    const count = 2_000;
    const task = await stage.serve(({ session }) => {
      for (let index = 0; index < count; index += 1) void session.out.append(index);
    });
    const conversation = await stage.open(task);
    await conversation.ended();
    const records = await conversation.records();
    expect(records.map(({ data }) => data)).toEqual(Array.from({ length: count }, (_, index) => index));
    expect(records.map(({ id }) => id)).toContain('run-1/1999');
  });

  test('stores a part id once, whoever writes it', async ({ expect }) => {
    const task = await stage.serve(async ({ session, attempt }) => {
      const first = await session.out.append({ attempt }, { id: 'greeting' });
      const piped = await session.out.pipe([`a${attempt}`, 'b'], { id: 'story' });
      const control = await session.out.control('chapter', { headers: { number: '1' }, id: 'chapter' });
      if (attempt === 1) throw new Error('again');
      return { first, piped, control };
    });
    const conversation = await stage.open(task);
    expect((await conversation.ended()).output).toEqual({
      first: { seq: 0 },
      piped: { count: 2, lastSeq: 2 },
      control: { seq: 3 },
    });
    expect(await conversation.records()).toEqual([
      { seqNum: 0, id: 'greeting', data: { attempt: 1 } },
      { seqNum: 1, id: 'story/0', data: 'a1' },
      { seqNum: 2, id: 'story/1', data: 'b' },
      {
        seqNum: 3,
        id: '',
        data: '',
        headers: [
          ['trigger-control', 'chapter'],
          ['number', '1'],
        ],
      },
    ]);
  });

  test('holds a fast stream back, and tells it when it is no longer read', async ({ expect }) => {
    let made = 0;
    let isLeft = false;
    async function* endless() {
      try {
        for (;;) {
          made += 1;
          yield 'x'.repeat(100_000);
        }
      } finally {
        isLeft = true;
      }
    }
    const task = await stage.serve(async ({ session }) => {
      const code = await session.out.pipe(endless()).catch((error: SessionError) => error.code);
      return { code, isLeft };
    });
    const conversation = await stage.open(task);
    const { runId } = conversation;
    await vi.waitFor(async () => expect((await conversation.records()).length).toBeGreaterThan(5), patience);
    await stage.server.api.call(`/api/v1/runs/${runId}/claim`, { method: 'POST', body: { attempt: 2 } });
    await conversation.ended();
    const stored = (await conversation.records()).length;
    expect(isLeft).toBe(true);
    // What waited in the worker, and one request.
    expect(made - stored).toBeLessThan(40);
  });

  test('says what is wrong with a record before it is sent', async ({ expect }) => {
    const task = await stage.serve(async ({ session }) => {
      const problemOf = (write: Promise<unknown>) => write.catch((error: Error) => `${error.name}: ${error.message}`);
      return [
        await problemOf(session.out.append('x'.repeat(1_048_576))),
        await problemOf(session.out.append(undefined)),
        await problemOf(session.out.append('a', { id: '' })),
      ];
    });
    const [large, notJson, badId] = (await (await stage.open(task)).ended()).output as [string, string, string];
    expect(large).toMatch(/^SessionError: .*split it/);
    expect(notJson).toMatch(/^TypeError: .*undefined is not JSON/);
    expect(badId).toMatch(/^RangeError: .*part id/);
  });
});

test('a side channel carries records of its own, wakes nobody, and is read from where the task says', async ({
  expect,
}) => {
  const task = await stage.serve(async ({ session }) => {
    const tools = session.channel('tools', { after: 0 });
    const { text } = await tools.in.once();
    await tools.out.append({ did: text });
    return session.channel('tools') === tools;
  });
  const conversation = await stage.open(task);
  for (const text of ['zero', 'one']) {
    await stage.server.api.call(`/realtime/v1/sessions/${conversation.id}/channels/tools/in/append`, {
      method: 'POST',
      body: text,
    });
  }
  expect((await conversation.ended()).output).toBe(true);
  expect(await conversation.records('channels/tools/out')).toEqual([{ seqNum: 0, id: 'in-1/0', data: { did: 'one' } }]);
  expect(await conversation.records()).toEqual([]);
});
