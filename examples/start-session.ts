/**
 * A conversation with the official client: docs/recipes/use-the-official-sdk.md. With a server and its demo task up:
 * node --import tsx examples/start-session.ts chat_1234 'how are you?'
 */
import { configure, sessions } from '@trigger.dev/sdk';

configure({
  baseURL: process.env['TRIGGER_API_URL'] ?? 'http://127.0.0.1:3040',
  // The server prints one when it starts.
  accessToken: process.env['TRIGGER_SECRET_KEY'] ?? '',
});

const [chatId = 'chat_1234', words = 'hello'] = process.argv.slice(2);
const { id, runId, isCached } = await sessions.start({
  type: 'chat.agent',
  externalId: chatId,
  taskIdentifier: 'my-chat',
  triggerConfig: { basePayload: { chatId }, tags: [`chat:${chatId}`], idleTimeoutInSeconds: 30 },
});
console.log(`${isCached ? 'found' : 'started'} ${id}, run ${runId}`);

const session = sessions.open(chatId);
const parts = [{ type: 'text', text: words }];
await session.in.send({ kind: 'message', payload: { chatId, trigger: 'submit-message', message: { parts } } });

const leaving = new AbortController();
const answers = await session.out.read({
  signal: leaving.signal,
  // Each answer ends with one. A reader that was here before gives the last seq it has seen as `lastEventId`.
  onControl: ({ subtype }) => subtype === 'turn-complete' && leaving.abort(),
});
for await (const chunk of answers) console.log(JSON.stringify(chunk));
