import { expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import type { JsonObject } from '../../src/domain/trigger-config.ts';
import { defineTask, type RunContext, type StopReason, startTaskWorker, type Task } from '../../src/tasks/index.ts';

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

test('tasks of any payload are served by one worker', () => {
  const one = defineTask({ id: 'one', run: (payload: { n: number }) => payload.n });
  const two = defineTask({ id: 'two', parse: z.string(), run: (payload) => payload });
  expectTypeOf(startTaskWorker).toBeCallableWith({ tasks: [one, two] });
});

test('the reason of a stop is one of four', () => {
  expectTypeOf<StopReason>().toEqualTypeOf<'cancelled' | 'max-duration' | 'worker-shutdown' | 'lost'>();
});
