/** For worker processes that tests kill, pause and replace: each attempt says when it begins and returns who served it. */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTask } from '../../../src/tasks/index.ts';

export const steady = defineTask({
  id: 'steady',
  run: async ({ seconds = 600 }: { seconds?: number }, { attempt, signal, log }) => {
    log.info('serving');
    await delay(seconds * 1_000, undefined, { signal });
    return { pid: process.pid, attempt };
  },
});
