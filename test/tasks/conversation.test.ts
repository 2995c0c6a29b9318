/** What a task reads from its session and writes to it, over a whole server; how it ends, goes on, and is refused. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, test, vi } from 'vitest';
import { type InMessage, SessionError } from '../../src/tasks/index.ts';
import { type ConversationStage, controlOf, openConversationStage, patience } from './conversation-stage.ts';

let stage: ConversationStage;
beforeAll(async () => {
  stage = await openConversationStage();
});
afterAll(() => stage?.close());

const turnComplete = (seq: number) => [
  ['trigger-control', 'turn-complete'],
  ['session-in-event-id', String(seq)],
];

describe.concurrent('a task that converses', () => {
  test('reads what was said, as JSON where it is, and answers in order', async ({ expect }) => {
    const read: InMessage[] = [];
    const task = await stage.serve(async ({ session }) => {
      for await (const message of session.in) {
        read.push(message);
        await session.out.append({ heard: message.data });
        await session.out.turnComplete();
      }
      return 'idle';
    });
    const conversation = await stage.open(task, { idleTimeoutInSeconds: 2 });
    await conversation.say('{"n":1}', 'mine');
    await conversation.say('plain');
    await conversation.recordsAfterTurns(2);
    expect((await conversation.ended()).output).toBe('idle');
    expect(read.map(({ seq, text, data }) => ({ seq, text, data }))).toEqual([
      { seq: 0, text: '{"n":1}', data: { n: 1 } },
      { seq: 1, text: 'plain', data: 'plain' },
    ]);
    expect(read[0]).toMatchObject({ id: 'mine', at: expect.any(Date) });
    expect(await conversation.records()).toEqual([
      { seqNum: 0, id: 'in-0/0', data: { heard: { n: 1 } } },
      { seqNum: 1, id: '', data: '', headers: turnComplete(0) },
      { seqNum: 2, id: 'in-1/0', data: { heard: 'plain' } },
      { seqNum: 3, id: '', data: '', headers: turnComplete(1) },
    ]);
  });

  test('ends when nobody speaks, and its continuation answers what is said later, and only that (I5)', async ({
    expect,
  }) => {
    const runs: number[] = [];
    const task = await stage.serve(async ({ session, run }) => {
      for await (const { text } of session.in) {
        runs.push(run.number);
        await session.out.append(text);
      }
    });
    const conversation = await stage.open(task, { idleTimeoutInSeconds: 1 });
    await conversation.say('first');
    await conversation.ended();
    await conversation.say('second');
    await vi.waitFor(() => expect(runs).toEqual([1, 2]), patience);
    await conversation.ended((await conversation.currentRunId()) ?? conversation.runId);
    expect((await conversation.records()).map(({ data }) => data)).toEqual(['first', 'second']);
  });

  test('that fails is given the message in hand again, and not those before it', async ({ expect }) => {
    const read: [attempt: number, text: string][] = [];
    const task = await stage.serve(async ({ session, attempt }) => {
      for await (const { text } of session.in) {
        read.push([attempt, text]);
        if (text === 'fatal' && attempt === 1) throw new Error('boom');
        await session.out.append(text);
        if (text === 'last') return;
      }
    });
    const conversation = await stage.open(task);
    for (const text of ['fine', 'fatal', 'last']) await conversation.say(text);
    expect((await conversation.ended()).attemptCount).toBe(2);
    expect(read).toEqual([
      [1, 'fine'],
      [1, 'fatal'],
      [2, 'fatal'],
      [2, 'last'],
    ]);
    expect((await conversation.records()).map(({ data }) => data)).toEqual(['fine', 'fatal', 'last']);
  });

  test('reads on through a restart of the server, in the same attempt', async ({ expect }) => {
    const alone = await openConversationStage();
    try {
      const task = await alone.serve(async ({ session }) => {
        for (let count = 0; count < 2; count += 1) {
          const { text } = await session.in.once({ timeoutMs: 60_000 });
          await session.out.append(text);
          await session.out.turnComplete();
        }
      });
      const conversation = await alone.open(task);
      await conversation.say('before');
      await conversation.recordsAfterTurns(1);
      await alone.restart();
      await conversation.say('after');
      const records = await conversation.recordsAfterTurns(2);
      expect(records.flatMap(({ data }) => (data === '' ? [] : [data]))).toEqual(['before', 'after']);
      expect(await conversation.ended()).toMatchObject({ status: 'COMPLETED', attemptCount: 1 });
    } finally {
      await alone.close();
    }
  });

  test('that waits is stopped at once when its run is cancelled', async ({ expect }) => {
    const thrown: unknown[] = [];
    const waiting = vi.fn<() => void>();
    const task = await stage.serve(async ({ session }) => {
      waiting();
      await session.in.wait({ timeoutMs: 600_000 }).catch((error: unknown) => thrown.push(error));
    });
    const conversation = await stage.open(task);
    await vi.waitFor(() => expect(waiting).toHaveBeenCalled(), patience);
    await stage.server.api.cancel(conversation.runId);
    expect(await conversation.ended()).toMatchObject({ status: 'CANCELED' });
    await vi.waitFor(() => expect(thrown).toMatchObject([{ name: 'AbortError', why: 'cancelled' }]), patience);
  });

  test('whose place another attempt has taken is refused, told so, and stopped (V14)', async ({ expect }) => {
    const refusals: unknown[] = [];
    const reasons: unknown[] = [];
    const task = await stage.serve(async ({ session, signal, run }) => {
      const { text } = await session.in.once();
      if (run.number > 1) {
        await session.out.append(`continued: ${text}`);
        await session.out.turnComplete();
        return;
      }
      await session.out.append(text).catch((error: unknown) => refusals.push(error));
      reasons.push(signal.reason);
      await session.out.append('still here').catch((error: unknown) => refusals.push(error));
    });
    const conversation = await stage.open(task);
    const { runId } = conversation;
    await stage.server.api.runWhen(runId, (run) => run.startedAt !== undefined);
    await stage.server.api.call(`/api/v1/runs/${runId}/claim`, { method: 'POST', body: { attempt: 2 } });
    await conversation.say('to whom?');
    expect(await conversation.ended()).toMatchObject({ status: 'CANCELED' });
    expect(refusals).toEqual([expect.any(SessionError), expect.any(SessionError)]);
    expect(refusals).toMatchObject([{ code: 'superseded' }, { code: 'superseded' }]);
    expect(reasons).toMatchObject([{ name: 'AbortError', why: 'superseded' }]);
    // Nobody has answered yet when the run ends, so a continuation does; it alone has written.
    const [answer, ...controls] = await conversation.recordsAfterTurns(1);
    expect(answer).toMatchObject({ data: 'continued: to whom?' });
    expect(controls.map(controlOf)).toEqual(['turn-complete']);
  });

  test('leaves its loop when the session is closed, and may finish its turn', async ({ expect }) => {
    const task = await stage.serve(async ({ session }) => {
      let read = 0;
      for await (const message of session.in) read += message.seq + 1;
      await session.out.append('bye');
      return { read, ended: session.in.ended };
    });
    const conversation = await stage.open(task, { idleTimeoutInSeconds: 600 });
    await conversation.say('hello');
    // A run that has not begun when its session ends never does.
    await stage.server.api.runWhen(conversation.runId, (run) => run.startedAt !== undefined);
    await stage.server.api.call(`/api/v1/sessions/${conversation.id}/close`, { method: 'POST', body: {} });
    expect((await conversation.ended()).output).toEqual({ read: 1, ended: true });
    expect((await conversation.records()).map(({ data }) => data)).toEqual(['', 'bye']);
  });
});

describe.concurrent('session.in', () => {
  test('tells that no message is there only when there is none', async ({ expect }) => {
    const go = new AbortController();
    const task = await stage.serve(async ({ session }) => {
      const before = await session.in.wait({ timeoutMs: 0 });
      await delay(60_000, undefined, { signal: go.signal }).catch(() => undefined);
      const after = await session.in.wait({ timeoutMs: 0 });
      const missing = await session.in.once({ timeoutMs: 10 }).catch((error: SessionError) => error.code);
      return [before, after?.text, missing];
    });
    const conversation = await stage.open(task);
    await stage.server.api.runWhen(conversation.runId, (run) => run.startedAt !== undefined);
    await delay(0);
    await conversation.say('there');
    go.abort();
    expect((await conversation.ended()).output).toEqual([null, 'there', 'no-message']);
  });

  test('commits what was read, and refuses what was not', async ({ expect }) => {
    const task = await stage.serve(async ({ session, attempt }) => {
      if (attempt > 1) return (await session.in.once()).text;
      const { seq } = await session.in.once();
      const early = await session.in.commit(seq + 1).catch((error: Error) => error.name);
      await session.in.commit(seq);
      await session.out.append(early);
      throw new Error('after the commit');
    });
    const conversation = await stage.open(task);
    await conversation.say('once');
    await conversation.say('then');
    expect((await conversation.ended()).output).toBe('then');
    expect((await conversation.records()).map(({ data }) => data)).toEqual(['RangeError']);
  });

  test('is read from one place at a time', async ({ expect }) => {
    const task = await stage.serve(async ({ session }) => {
      const waits = [session.in.wait({ timeoutMs: 10 }), session.in.wait({ timeoutMs: 10 })];
      return (await Promise.allSettled(waits)).map(({ status }) => status);
    });
    expect((await (await stage.open(task)).ended()).output).toEqual(['fulfilled', 'rejected']);
  });
});
