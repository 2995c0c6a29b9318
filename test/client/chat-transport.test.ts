/** The official chat frontend's transport, unchanged, talks with the demo task: what a browser would show. */
import { configure, sessions } from '@trigger.dev/sdk';
import { TriggerChatTransport } from '@trigger.dev/sdk/chat';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { myChat } from '../../examples/demo-task.ts';
import { startTaskWorker, type TaskWorker } from '../../src/tasks/index.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';

let site: Site;
let server: TestServer;
let demo: TaskWorker;
beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
  demo = await startTaskWorker({
    tasks: [myChat],
    secretKey: site.devKey,
    apiUrl: server.url,
    temporal: { address: site.temporalAddress, namespace: site.namespace },
    shutdownGraceMs: 0,
  });
  // Of the whole process: no other test file runs in it.
  configure({ baseURL: server.url, accessToken: site.devKey });
});
afterAll(async () => {
  await demo?.stop();
  await server?.stop();
  await site?.remove();
});

const chatId = 'browser-1';

/** As an app's own server does it, which hands the token to its page. */
async function startSession(): Promise<{ publicAccessToken: string }> {
  const { publicAccessToken } = await sessions.start({
    type: 'chat.agent',
    externalId: chatId,
    taskIdentifier: 'my-chat',
    triggerConfig: { basePayload: { chatId }, idleTimeoutInSeconds: 1 },
  });
  return { publicAccessToken };
}

const newTransport = () =>
  new TriggerChatTransport({
    task: 'my-chat',
    baseURL: server.url,
    accessToken: async () => (await startSession()).publicAccessToken,
    startSession,
  });

type Chunk = { readonly type: string; readonly delta?: string };

async function ask(transport: TriggerChatTransport, words: string): Promise<Chunk[]> {
  const stream = await transport.sendMessages({
    trigger: 'submit-message',
    chatId,
    messageId: undefined,
    messages: [{ id: words, role: 'user', parts: [{ type: 'text', text: words }] }],
    abortSignal: undefined,
  });
  const chunks: Chunk[] = [];
  for await (const chunk of stream as unknown as AsyncIterable<Chunk>) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks: readonly Chunk[]): string => chunks.map(({ delta = '' }) => delta).join('');

test('each question is answered in chunks, and its stream ends with the turn, in a continuation too', async () => {
  const transport = newTransport();
  const first = await ask(transport, 'how are you?');
  expect(textOf(first)).toBe('You said: how are you?');
  expect(first.map(({ type }) => type)).toEqual([
    'start',
    'text-start',
    ...Array.from({ length: 5 }, () => 'text-delta'),
    'text-end',
    'finish',
  ]);
  expect(textOf(await ask(transport, 'and now?'))).toBe('You said: and now?');

  const { body } = await server.api.session(chatId);
  await server.api.runWhen(body.currentRunId, (run) => run.isCompleted);
  expect(textOf(await ask(transport, 'still there?'))).toBe('You said: still there?');
  expect((await server.api.session(chatId)).body.currentRunId).not.toBe(body.currentRunId);
});
