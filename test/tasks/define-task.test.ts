import { expect, test } from 'vitest';
import { z } from 'zod';
import { acceptPayload, defineTask, isTask } from '../../src/tasks/define-task.ts';

test.each(['', 'x'.repeat(129), '__temporal_mine'])('the id %j cannot be served', (id) => {
  expect(() => defineTask({ id, run: () => null })).toThrow(TypeError);
});

test('a task is recognised, and nothing else is', () => {
  expect(isTask(defineTask({ id: 'a', run: () => null }))).toBe(true);
  expect(isTask({ id: 'a', run: () => null })).toBe(false);
  expect(isTask(null)).toBe(false);
});

test('a parser function may be asynchronous, and what it throws is the problem', async () => {
  const task = defineTask({
    id: 'a',
    parse: async ({ n }) => {
      if (typeof n !== 'number') throw new Error('n: expected a number');
      return n;
    },
    run: (n) => n,
  });
  await expect(acceptPayload(task, { n: 1 })).resolves.toBeTypeOf('function');
  await expect(acceptPayload(task, { n: 'one' })).rejects.toThrow('n: expected a number');
});

test('a schema names the paths of what it refuses', async () => {
  const parse = z.object({ user: z.object({ name: z.string() }), n: z.number() });
  const task = defineTask({ id: 'a', parse, run: () => null });
  await expect(acceptPayload(task, { user: {}, n: 'x' })).rejects.toThrow(/user\.name: .*; n: /);
});

test('a long list of problems is cut', async () => {
  const task = defineTask({ id: 'a', parse: z.object({ list: z.array(z.string()) }), run: () => null });
  const list = Array.from({ length: 50 }, (_, index) => index);
  await expect(acceptPayload(task, { list })).rejects.toThrow('and 40 more');
});
