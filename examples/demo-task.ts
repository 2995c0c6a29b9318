/**
 * The task `my-chat` of the first tour: says hello, counts for a few seconds, says goodbye. Each run
 * finishes by itself; cancelling it ends it earlier. Start it with: perdure tasks examples/demo-task.ts
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTask } from '../src/tasks/index.ts';

const secondsDefault = 5;
const secondsMax = 600;

export const myChat = defineTask({
  id: 'my-chat',
  /** `seconds` is how long the demo pretends to work. */
  parse: ({ chatId, seconds = secondsDefault }) => {
    if (typeof seconds !== 'number' || seconds < 0 || seconds > secondsMax) {
      throw new Error(`seconds: expected a number from 0 to ${secondsMax}`);
    }
    return { chatId: typeof chatId === 'string' ? chatId : null, seconds };
  },
  run: async ({ chatId, seconds }, { session, run, attempt, signal, log }) => {
    const name = chatId ?? session.key;
    log.info(`hello ${name}, this is run ${run.number} (${run.reason}), attempt ${attempt}`);
    for (let second = 1; second <= seconds; second += 1) {
      await delay(1_000, undefined, { signal });
      log.info(`${second} of ${seconds} seconds`);
    }
    log.info(`goodbye ${name}`);
    return { greeted: name, seconds };
  },
});
