import { expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import type { JsonObject, JsonValue } from '../../src/domain/trigger-config.ts';
import {
  defineTask,
  type InMessage,
  type RunContext,
  type RunSession,
  type SessionChannel,
  type SessionError,
  type SessionErrorCode,
  type StopReason,
  startTaskWorker,
  type Task,
} from '../../src/tasks/index.ts';

test('without a parser the payload is JSON', () => {
  defineTask({
    id: 'a',
    run: (payload, context) => {
      expectTypeOf(payload).toEqualTypeOf<JsonObject>();
      expectTypeOf(context).toEqualTypeOf<RunContext>();
    },
  });
});

test('a declared payload is believed', () => {
  const task = defineTask({ id: 'a', run: (payload: { chatId: string }) => payload.chatId.length });
  expectTypeOf(task).toEqualTypeOf<Task<{ chatId: string }, number>>();
});

test('a parser function gives the payload its type', () => {
  const task = defineTask({
    id: 'a',
    parse: (payload) => {
      expectTypeOf(payload).toEqualTypeOf<JsonObject>();
      return { chatId: JSON.stringify(payload['chatId']) };
    },
    run: async (payload) => {
      expectTypeOf(payload).toEqualTypeOf<{ chatId: string }>();
      return payload.chatId;
    },
  });
  expectTypeOf(task).toEqualTypeOf<Task<{ chatId: string }, string>>();
});

test('so does an asynchronous one', () => {
  defineTask({
    id: 'a',
    parse: async () => 7,
    run: (payload) => {
      expectTypeOf(payload).toEqualTypeOf<number>();
    },
  });
});

test('so does a schema, by its output', () => {
  defineTask({
    id: 'a',
    parse: z.object({ seconds: z.string().transform(Number), name: z.string().default('you') }),
    run: (payload) => {
      expectTypeOf(payload).toEqualTypeOf<{ seconds: number; name: string }>();
    },
  });
});

test('a parser and a function that disagree do not compile', () => {
  const task = { id: 'a', parse: () => 7, run: (payload: string) => payload };
  // @ts-expect-error the parser gives a number
  expectTypeOf(defineTask(task)).toBeObject();
});

test('messages are JSON of a client, and a wait may be in vain', () => {
  defineTask({
    id: 'a',
    run: async (_payload, { session }) => {
      expectTypeOf(session).toEqualTypeOf<RunSession>();
      expectTypeOf(await session.in.wait({ timeoutMs: 0 })).toEqualTypeOf<InMessage | null>();
      expectTypeOf(await session.in.once()).toEqualTypeOf<InMessage>();
      for await (const message of session.in) {
        expectTypeOf(message.data).toEqualTypeOf<JsonValue>();
        expectTypeOf(message).toExtend<{ seq: number; id: string; at: Date; text: string }>();
      }
    },
  });
});

test('what is written answers its seq; only the main pair completes turns', () => {
  defineTask({
    id: 'a',
    run: async (_payload, { session }) => {
      async function* words(): AsyncGenerator<string> {
        yield 'a';
      }
      expectTypeOf(await session.out.append({ any: 'JSON' }, { id: 'mine' })).toEqualTypeOf<{ readonly seq: number }>();
      expectTypeOf(await session.out.pipe(words())).toExtend<{ count: number; lastSeq: number | null }>();
      expectTypeOf(session.out.pipe).toBeCallableWith(new ReadableStream<string>());
      expectTypeOf(session.out.turnComplete).toBeCallableWith({ message: await session.in.once() });
      expectTypeOf(session.channel('tools')).toEqualTypeOf<SessionChannel>();
      // @ts-expect-error a side channel has no turns
      await session.channel('tools').out.turnComplete();
      // @ts-expect-error a stream is piped, a string is appended
      await session.out.pipe(7);
    },
  });
});

test('an error of the session is told by its code', () => {
  expectTypeOf<SessionErrorCode>().toEqualTypeOf<'superseded' | 'ended' | 'refused' | 'unreachable' | 'no-message'>();
  expectTypeOf<SessionError>().toExtend<Error & { code: SessionErrorCode }>();
});

test('tasks of any payload are served by one worker', () => {
  const one = defineTask({ id: 'one', run: (payload: { n: number }) => payload.n });
  const two = defineTask({ id: 'two', parse: z.string(), run: (payload) => payload });
  expectTypeOf(startTaskWorker).toBeCallableWith({ tasks: [one, two] });
});

test('the reason of a stop is one of five', () => {
  expectTypeOf<StopReason>().toEqualTypeOf<'cancelled' | 'max-duration' | 'worker-shutdown' | 'lost' | 'superseded'>();
});
