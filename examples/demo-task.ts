/**
 * The task `my-chat` of the first tour: a conversation. It answers each message in a stream of chunks, in the form
 * that AI chat frontends read, and ends when nobody has said anything for a while; the next message starts a
 * continuation, which goes on where it left off. Start it with: perdure tasks examples/demo-task.ts
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTask, type InMessage } from '../src/tasks/index.ts';

export const myChat = defineTask({
  id: 'my-chat',
  run: async (_payload, { session, run, attempt, signal, log }) => {
    log.info(`hello ${session.key}, this is run ${run.number} (${run.reason}), attempt ${attempt}`);
    let answered = 0;
    // Ends after the session's `idleTimeoutInSeconds` without a message, or when it is closed.
    for await (const message of session.in) {
      const words = textOf(message);
      // Frontends also send what is no message, such as a wish to stop an answer that is over by now.
      if (words === null) continue;
      await session.out.pipe(answerTo(words, { message, signal }));
      await session.out.turnComplete();
      answered += 1;
    }
    log.info(`goodbye ${session.key}, ${answered} answered`);
    return { answered };
  },
});

const wordPauseMs = 40;

/** The same chunks for the same message: an attempt that is repeated finds the ones that are there already. */
async function* answerTo(
  words: string,
  { message, signal }: { readonly message: InMessage; readonly signal: AbortSignal },
): AsyncGenerator<{ readonly type: string; readonly [field: string]: unknown }> {
  const id = `answer-${message.seq}`;
  yield { type: 'start', messageId: id };
  yield { type: 'text-start', id };
  for (const delta of `You said: ${words}`.split(/(?<= )/)) {
    await delay(wordPauseMs, undefined, { signal });
    yield { type: 'text-delta', id, delta };
  }
  yield { type: 'text-end', id };
  yield { type: 'finish' };
}

const wordsMax = 2_000;

/** Plain text, as curl sends it, or the message of a chat frontend; null for everything else. */
function textOf({ data }: InMessage): string | null {
  if (typeof data !== 'object' || data === null) return String(data).slice(0, wordsMax);
  const { kind, payload } = data as { kind?: unknown; payload?: { message?: { parts?: unknown } } };
  const parts = payload?.message?.parts;
  if (kind !== 'message' || !Array.isArray(parts)) return null;
  const texts = (parts as readonly { type?: unknown; text?: unknown }[]).filter(({ type }) => type === 'text');
  return texts
    .map(({ text }) => String(text))
    .join(' ')
    .slice(0, wordsMax);
}
