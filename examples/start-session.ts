/**
 * Starts a session with the official client, and waits for its run: docs/recipes/use-the-official-sdk.md. With a
 * server and its demo task up: node --import tsx examples/start-session.ts chat_1234
 */
import { configure, runs, sessions } from '@trigger.dev/sdk';

configure({
  baseURL: process.env['TRIGGER_API_URL'] ?? 'http://127.0.0.1:3040',
  // The server prints one when it starts.
  accessToken: process.env['TRIGGER_SECRET_KEY'] ?? '',
});

const chatId = process.argv[2] ?? 'chat_1234';
const { id, runId, isCached } = await sessions.start({
  type: 'chat.agent',
  externalId: chatId,
  taskIdentifier: 'my-chat',
  triggerConfig: { basePayload: { chatId, seconds: 2 }, tags: [`chat:${chatId}`] },
});
console.log(`${isCached ? 'found' : 'started'} ${id}, run ${runId}`);

const run = await runs.poll(runId, { pollIntervalMs: 500 });
console.log(`${run.status}: ${JSON.stringify(run.output ?? run.error)}`);
