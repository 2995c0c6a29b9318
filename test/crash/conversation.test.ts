/** A worker or an API that is killed in the middle of an answer: every message is answered, and nothing is said twice. */
import { expect, test, vi } from 'vitest';
import { myChat } from '../../examples/demo-task.ts';
import { startTaskWorker } from '../../src/tasks/index.ts';
import { apiOf } from '../harness/api.ts';
import { freePort } from '../harness/free-port.ts';
import { startProcess } from '../harness/processes.ts';
import { openSite, siteEnvironment } from '../harness/server.ts';
import { controlOf, conversationOf, patience, type ReadRecord } from '../tasks/conversation-stage.ts';
import { type Story, storyTest } from './story.ts';

/** A worker of the demo task in a process of its own. */
function startDemoWorker({ site, server }: Story) {
  const { TEMPORAL_ADDRESS = '', TEMPORAL_NAMESPACE = '' } = siteEnvironment(site);
  return startProcess({
    command: ['tasks', 'examples/demo-task.ts'],
    environment: {
      TEMPORAL_ADDRESS,
      TEMPORAL_NAMESPACE,
      TRIGGER_SECRET_KEY: site.devKey,
      TRIGGER_API_URL: server.url,
      TASK_SHUTDOWN_GRACE_SECONDS: '0',
    },
  });
}

/** What a reader of `out` puts together: the text of each turn, and the message that it answers. */
function turnsOf(records: readonly ReadRecord[]): { text: string; answers: string }[] {
  const turns: { text: string; answers: string }[] = [];
  let text = '';
  for (const record of records) {
    const { type, delta } = record.data as { type?: string; delta?: string };
    if (type === 'text-delta') text += delta;
    if (controlOf(record) !== 'turn-complete') continue;
    turns.push({ text, answers: record.headers?.[1]?.[1] ?? '' });
    text = '';
  }
  return turns;
}

storyTest('a worker killed twice in mid-answer leaves each message answered exactly once (V14, I5)', async (story) => {
  await story.worker();
  const worker = await startDemoWorker(story);
  const { body } = await story.server.api.create({
    taskIdentifier: 'my-chat',
    triggerConfig: { basePayload: {}, idleTimeoutInSeconds: 2, maxAttempts: 5 },
  });
  const conversation = conversationOf(() => story.server, body);
  const messages = ['one', 'two', 'three'].map((word) => Array.from({ length: 25 }, () => word).join(' '));
  for (const message of messages) await conversation.say(message);

  let victim = worker;
  for (const answers of [0, 1]) {
    await vi.waitFor(async () => {
      const begun = (await conversation.records()).filter(({ id }) => id.startsWith(`in-${answers}/`)).length;
      if (begun < 10) throw new Error(`answer ${answers} has ${begun} records`);
    }, patience);
    await victim.kill();
    victim = await startDemoWorker(story);
  }
  await conversation.recordsAfterTurns(3);
  const run = await conversation.ended();
  await victim.kill();

  const records = await conversation.records();
  expect(turnsOf(records)).toEqual(
    messages.map((message, seq) => ({ text: `You said: ${message}`, answers: `${seq}` })),
  );
  expect(new Set(records.map(({ seqNum }) => seqNum)).size).toBe(records.length);
  // Killed while a run was in mid-answer, it went on in the next attempt of the same run.
  expect(run).toMatchObject({ status: 'COMPLETED', attemptCount: 3, output: { answered: expect.any(Number) } });
  const { gate } = await story.settled(conversation.id);
  expect(gate).toMatchObject({ consumed: 3, run_no: 1, live: false });
});

test('an API killed between a commit and its acknowledgement leaves nothing said twice, and costs no attempt', {
  timeout: 120_000,
}, async () => {
  const site = await openSite();
  const environment = { ...siteEnvironment(site), PORT: String(await freePort()) };
  // The first hit is the message; the others are records of its answer.
  const dying = await startProcess({
    command: ['api'],
    environment: { ...environment, FAILPOINTS: 'append:after=kill@9' },
  });
  const worker = await startTaskWorker({
    tasks: [myChat],
    secretKey: site.devKey,
    apiUrl: dying.url,
    temporal: { address: site.temporalAddress, namespace: site.namespace },
    shutdownGraceMs: 0,
  });
  const api = apiOf(dying.url, site.devKey);
  try {
    const triggerConfig = { basePayload: {}, idleTimeoutInSeconds: 2 };
    const { body } = await api.create({ taskIdentifier: 'my-chat', triggerConfig });
    const conversation = conversationOf(() => ({ api }), body);
    const message = Array.from({ length: 20 }, (_, index) => `word${index}`).join(' ');
    await conversation.say(message);
    await dying.exited;
    const living = await startProcess({ command: ['api'], environment });
    try {
      await conversation.recordsAfterTurns(1);
      expect(await conversation.ended()).toMatchObject({
        status: 'COMPLETED',
        attemptCount: 1,
        output: { answered: 1 },
      });
      const records = await conversation.records();
      expect(turnsOf(records)).toEqual([{ text: `You said: ${message}`, answers: '0' }]);
      expect(records.map(({ seqNum }) => seqNum)).toEqual(records.map((_, index) => index));
    } finally {
      await worker.stop();
      await living.kill();
    }
  } finally {
    await dying.kill();
    await site.remove();
  }
});
