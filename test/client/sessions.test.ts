/** The official client, unchanged, against our server: what `sessions.start` and its neighbours of the SDK do. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { auth, configure, runs, sessions } from '@trigger.dev/sdk';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { myChat } from '../../examples/demo-task.ts';
import { startTaskWorker, type TaskWorker } from '../../src/tasks/index.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { startTestTasks, type TestTasks } from '../harness/tasks.ts';
import { connectTo, type TestTemporal } from '../harness/temporal.ts';
import { startWitnessProxy, type WitnessProxy } from './witness-proxy.ts';

let site: Site;
let server: TestServer;
let proxy: WitnessProxy;
let tasks: TestTasks;
let demo: TaskWorker;
let temporal: TestTemporal;

beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
  proxy = await startWitnessProxy(server.url);
  tasks = await startTestTasks({ site, server });
  demo = await startTaskWorker({
    tasks: [myChat],
    secretKey: site.devKey,
    apiUrl: server.url,
    temporal: { address: site.temporalAddress, namespace: site.namespace },
    shutdownGraceMs: 0,
  });
  temporal = await connectTo(site.temporalAddress, site.namespace);
  // Of the whole process: no other test file runs in it.
  configure({ baseURL: proxy.url, accessToken: site.devKey });
});

afterAll(async () => {
  await Promise.all([demo?.stop(), tasks?.stop()]);
  await proxy?.close();
  await temporal?.close();
  await server?.stop();
  await site?.remove();
});

const startOf = (externalId: string, taskIdentifier = 'hold') => ({
  type: 'chat.agent',
  externalId,
  taskIdentifier,
  triggerConfig: { basePayload: { chatId: externalId } },
});

/** What the promise rejects with. */
async function failureOf(call: PromiseLike<unknown>): Promise<Record<string, unknown>> {
  try {
    await call;
  } catch (thrown) {
    return thrown as Record<string, unknown>;
  }
  throw new Error('the call did not fail');
}

const closedError = 'Session is closed; use a different externalId to create a new session';
const expiredError = 'Session is expired; use a different externalId to create a new session';

describe.concurrent('sessions.start', () => {
  test('does what the page shows: a session, its first run, and the same again for the same external id', async ({
    expect,
  }) => {
    const chatId = 'chat-1';
    const start = () =>
      sessions.start({
        type: 'chat.agent',
        externalId: chatId,
        taskIdentifier: 'my-chat',
        triggerConfig: { basePayload: { chatId }, tags: [`chat:${chatId}`], idleTimeoutInSeconds: 1 },
      });
    const { id, runId, publicAccessToken, isCached } = await start();
    expect(id).toMatch(/^session_/);
    expect(runId).toMatch(/^run_/);
    expect(publicAccessToken).toMatch(/^eyJ/);
    expect(isCached).toBe(false);
    expect(await start()).toMatchObject({ id, runId, isCached: true, externalId: chatId });
    const run = await runs.poll(runId, { pollIntervalMs: 100 });
    expect(run).toMatchObject({ status: 'COMPLETED', isSuccess: true, tags: [`chat:${chatId}`] });
    expect(run.output).toEqual({ answered: 0 });
  });

  test('without an external id makes a session of its own each time', async ({ expect }) => {
    const { externalId: _none, ...anonymous } = startOf('', 'quick');
    const [one, other] = [await sessions.start(anonymous), await sessions.start(anonymous)];
    expect([one.isCached, other.isCached, one.externalId]).toEqual([false, false, null]);
    expect(other.id).not.toBe(one.id);
  });

  test('on a closed session fails at once: the client does not retry the 409', async ({ expect }) => {
    await sessions.start(startOf('sdk-closed'));
    await temporal.client.workflow.getHandle('session/dev/sdk-closed').signal('close', { reason: 'done' });
    await expect.poll(async () => (await sessions.retrieve('sdk-closed')).closedReason).toBe('done');
    const failure = await failureOf(sessions.start(startOf('sdk-closed')));
    expect(failure).toMatchObject({ name: 'TriggerApiError', status: 409, message: closedError });
    const creates = proxy.seen('sdk-closed').filter(({ method }) => method === 'POST');
    expect(creates.map(({ status }) => status)).toEqual([201, 409]);
  });

  test('on an expired session fails at once', async ({ expect }) => {
    await sessions.start({ ...startOf('sdk-expired'), expiresAt: new Date(Date.now() + 4_000) });
    await expect
      .poll(() => server.api.create({ externalId: 'sdk-expired' }), { timeout: 20_000 })
      .toMatchObject({ status: 409 });
    const failure = await failureOf(sessions.start(startOf('sdk-expired')));
    expect(failure).toMatchObject({ status: 409, message: expiredError });
    expect(proxy.seen('sdk-expired').map(({ status }) => status)).toEqual([201, 409]);
  });

  test('with a body that the page does not allow fails at once, and says which fields are wrong', async ({
    expect,
  }) => {
    const failure = await failureOf(
      sessions.start({ ...startOf('session_sdk-mine'), tags: Array<string>(11).fill('t') }),
    );
    expect(failure).toMatchObject({ name: 'TriggerApiError', status: 422 });
    expect(failure['message']).toContain('reserved prefix');
    expect(failure['body']).toMatchObject({
      details: [
        { code: 'custom', path: ['externalId'], message: expect.stringContaining('session_') },
        { code: 'too_big', path: ['tags'] },
      ],
    });
    expect(proxy.seen('session_sdk-mine')).toHaveLength(1);
  });

  test('with a key of nobody fails at once', async ({ expect }) => {
    const failure = await auth.withAuth({ baseURL: proxy.url, accessToken: `${site.devKey}x` }, () =>
      failureOf(sessions.start(startOf('sdk-stranger'))),
    );
    expect(failure).toMatchObject({ status: 401, message: 'Invalid API key' });
    expect(proxy.seen('sdk-stranger')).toHaveLength(1);
  });
});

describe.concurrent('an answer that is lost on its way', () => {
  /** All requests of one call of the SDK that holds the text: how they were answered, and under which keys. */
  const requestsOf = (text: string) => {
    const seen = proxy.seen(text).filter(({ method }) => method === 'POST');
    const keys = new Set(seen.map(({ headers }) => headers.get('x-trigger-request-idempotency-key')));
    return { statuses: seen.map(({ status }) => status), keysCount: keys.size };
  };

  test('is repeated by the client, and the caller sees the create that it made', async ({ expect }) => {
    proxy.loseAnswerTo('sdk-vanished');
    const started = await sessions.start(startOf('sdk-vanished'));
    expect(started.isCached).toBe(false);
    expect(requestsOf('sdk-vanished')).toEqual({ statuses: [201, 201], keysCount: 1 });
    await expect.poll(() => tasks.of(started.id)).toHaveLength(1);
    expect(tasks.of(started.id)[0]?.runId).toBe(started.runId);
    const again = await sessions.start(startOf('sdk-vanished'));
    expect(again).toMatchObject({ id: started.id, runId: started.runId, isCached: true });
  });

  test('makes no second session where there is no external id to find the first by', async ({ expect }) => {
    const { externalId: _none, ...anonymous } = startOf('sdk-anonymous');
    proxy.loseAnswerTo('sdk-anonymous');
    const started = await sessions.start(anonymous);
    expect(requestsOf('sdk-anonymous')).toEqual({ statuses: [201, 201], keysCount: 1 });
    const isOurs = ({ payload }: { payload: unknown }) => JSON.stringify(payload).includes('sdk-anonymous');
    await expect.poll(() => tasks.executions.filter(isOurs)).toMatchObject([{ sessionId: started.id, runNumber: 1 }]);
  });
});

test('the example of the recipe starts a session, says something, and hears the answer to its end', async ({
  expect,
}) => {
  const example = fileURLToPath(new URL('../../examples/start-session.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', example, 'sdk-example', 'well?'], {
    env: { ...process.env, TRIGGER_API_URL: server.url, TRIGGER_SECRET_KEY: site.devKey },
  });
  const { body } = await server.api.session('sdk-example');
  const [first, ...chunks] = stdout.trim().split('\n');
  expect(first).toMatch(new RegExp(`^started ${body.id}, run run_`));
  const told = chunks.map((chunk) => JSON.parse(chunk) as { type: string; delta?: string });
  expect(told.map(({ delta = '' }) => delta).join('')).toBe('You said: well?');
  expect(told.at(-1)).toEqual({ type: 'finish' });
});

describe.concurrent('runs of a session', () => {
  test('are retrieved while they execute, and a poll ends when one is cancelled', async ({ expect }) => {
    const { id, runId } = await sessions.start(startOf('sdk-cancel'));
    await expect.poll(() => tasks.of(id)).toHaveLength(1);
    expect(await runs.retrieve(runId)).toMatchObject({
      id: runId,
      status: 'EXECUTING',
      taskIdentifier: 'hold',
      isExecuting: true,
      isCompleted: false,
      attemptCount: 1,
      createdAt: expect.any(Date),
      startedAt: expect.any(Date),
    });
    const polled = runs.poll(runId, { pollIntervalMs: 100 });
    expect(await runs.cancel(runId)).toEqual({ id: runId });
    expect(await polled).toMatchObject({ status: 'CANCELED', isCompleted: true, isCancelled: true, isSuccess: false });
    expect(await runs.cancel(runId)).toEqual({ id: runId });
    const next = await sessions.start(startOf('sdk-cancel'));
    expect(next).toMatchObject({ id, isCached: true });
    expect(next.runId).not.toBe(runId);
  });

  test('that fail are told with their error', async ({ expect }) => {
    const { runId } = await sessions.start({
      ...startOf('sdk-fail', 'fail'),
      triggerConfig: { basePayload: {}, maxAttempts: 1 },
    });
    const run = await runs.poll(runId, { pollIntervalMs: 100 });
    expect(run).toMatchObject({ status: 'FAILED', isFailed: true, attemptCount: 1 });
    expect(run.error).toMatchObject({ name: 'RangeError', message: 'attempt 1 failed' });
  });

  test('are found by nobody else', async ({ expect }) => {
    const { runId } = await sessions.start(startOf('sdk-other', 'quick'));
    const failure = await auth.withAuth({ baseURL: proxy.url, accessToken: site.prodKey }, () =>
      // The SDK repeats this 404 for nine seconds, because elsewhere a row may come late.
      failureOf(runs.retrieve(runId, { retry: { maxAttempts: 1 } })),
    );
    expect(failure).toMatchObject({ status: 404, message: 'Not found' });
  });
});

describe.concurrent('public tokens', () => {
  const withToken = <Value>(accessToken: string, call: () => Promise<Value>) =>
    auth.withAuth({ baseURL: proxy.url, accessToken }, call);

  test('that the client signs itself open the session that they name, before it exists', async ({ expect }) => {
    const token = await auth.createPublicToken({ scopes: { write: { sessions: 'sdk-signed' } } });
    const started = await withToken(token, async () => sessions.start(startOf('sdk-signed')));
    expect(started).toMatchObject({ externalId: 'sdk-signed', isCached: false });
    expect(proxy.seen('sdk-signed').map(({ status }) => status)).toEqual([201]);
    const refused = await withToken(token, () => failureOf(sessions.start(startOf('sdk-unsigned'))));
    expect(refused).toMatchObject({
      status: 403,
      message: 'Unauthorized',
      code: 'unauthorized',
      param: 'access_token',
      type: 'authorization',
    });
    expect((await server.api.session('sdk-unsigned')).status).toBe(404);
  });

  test('read what they name and nothing else, under both forms of the key', async ({ expect }) => {
    const { id, runId } = await sessions.start(startOf('sdk-read'));
    const byExternalId = await auth.createPublicToken({
      scopes: { read: { sessions: 'sdk-read' } },
      expirationTime: '1h',
    });
    const byId = await auth.createPublicToken({ scopes: { read: { sessions: id } } });
    for (const token of [byExternalId, byId]) {
      for (const key of [id, 'sdk-read']) {
        expect((await withToken(token, async () => sessions.retrieve(key))).id).toBe(id);
      }
      expect(await withToken(token, () => failureOf(sessions.start(startOf('sdk-read'))))).toMatchObject({
        status: 403,
      });
      expect(await withToken(token, () => failureOf(runs.retrieve(runId)))).toMatchObject({ status: 403 });
    }
    const ofRun = await auth.createPublicToken({ scopes: { read: { runs: runId } } });
    expect((await withToken(ofRun, async () => runs.retrieve(runId))).id).toBe(runId);
  });

  test('that came with a create carry read and write of this session', async ({ expect }) => {
    const { id, runId, publicAccessToken } = await sessions.start(startOf('sdk-minted'));
    expect((await withToken(publicAccessToken, async () => sessions.retrieve(id))).currentRunId).toBe(runId);
    const again = await withToken(publicAccessToken, async () => sessions.start(startOf('sdk-minted')));
    expect(again).toMatchObject({ id, runId, isCached: true });
    const other = await withToken(publicAccessToken, () => failureOf(sessions.start(startOf('sdk-minted-other'))));
    expect(other).toMatchObject({ status: 403 });
  });

  test('are refused once they have expired', async ({ expect }) => {
    const token = await auth.createPublicToken({
      scopes: { read: { sessions: 'sdk-read' } },
      expirationTime: new Date(Date.now() - 1_000),
    });
    const failure = await withToken(token, () => failureOf(sessions.retrieve('sdk-read')));
    expect(failure).toMatchObject({ status: 401, message: 'Public Access Token is invalid' });
  });

  test('cannot ask for the claims of others, which only a secret key gets', async ({ expect }) => {
    const claims = (key: string | null) => server.api.call('/api/v1/auth/jwt/claims', { method: 'POST', key });
    const token = await auth.createPublicToken({ scopes: { read: { sessions: 'sdk-read' } } });
    const dev = await claims(site.devKey);
    const prod = await claims(site.prodKey);
    expect(dev).toMatchObject({ status: 200, body: { sub: expect.stringMatching(/^env_/), pub: true } });
    expect(Object.keys(dev.body)).toEqual(['sub', 'pub']);
    expect(prod.body.sub).not.toBe(dev.body.sub);
    expect(dev.headers.get('access-control-allow-origin')).toBeNull();
    expect(await claims(token)).toMatchObject({ status: 401, body: { error: 'Invalid API key' } });
    expect(await claims(null)).toMatchObject({ status: 401, body: { error: 'Invalid or Missing API key' } });
  });
});
