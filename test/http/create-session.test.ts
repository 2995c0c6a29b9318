/** POST /api/v1/sessions: the API by example, on the real engines. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { startTestTasks, type TestTasks } from '../harness/tasks.ts';

let site: Site;
let server: TestServer;
let tasks: TestTasks;

beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
  tasks = await startTestTasks({ site, server });
});

afterAll(async () => {
  await tasks?.stop();
  await server?.stop();
  await site?.remove();
});

const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe('a new session', () => {
  test('is answered 201 with every field of the page, and its first run is executed', async () => {
    const triggerConfig = { basePayload: { chatId: 'chat_1' }, tags: ['chat:chat_1'] };
    const { status, body } = await server.api.create({
      externalId: 'chat_1',
      triggerConfig,
      tags: ['vip'],
      metadata: { plan: 'free' },
      expiresAt: '2100-01-01T00:00:00Z',
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^session_[a-z0-9]{25}$/),
      externalId: 'chat_1',
      type: 'chat.agent',
      taskIdentifier: 'hold',
      triggerConfig,
      currentRunId: body.runId,
      tags: ['vip'],
      metadata: { plan: 'free' },
      closedAt: null,
      closedReason: null,
      expiresAt: '2100-01-01T00:00:00.000Z',
      createdAt: iso,
      updatedAt: iso,
      runId: expect.stringMatching(/^run_[a-z0-9]{25}$/),
      publicAccessToken: expect.stringMatching(/^eyJ/),
      isCached: false,
    });
    const run = await server.api.runWhen(body.runId, ({ isExecuting }) => isExecuting);
    expect(run).toMatchObject({ status: 'EXECUTING', attemptCount: 1, tags: ['chat:chat_1'], taskIdentifier: 'hold' });
    await expect.poll(() => tasks.of(body.id)).toHaveLength(1);
    expect(tasks.of(body.id)[0]?.payload).toEqual({ chatId: 'chat_1', sessionId: body.id });
  });

  test('sends explicit nulls for what it does not have', async () => {
    const { body } = await server.api.create({ externalId: 'bare' });
    expect(body).toMatchObject({ tags: [], metadata: null, closedAt: null, closedReason: null, expiresAt: null });
  });

  test('can be read back at once by both forms of its key, with the returned token too', async () => {
    const { body } = await server.api.create({ externalId: 'readable' });
    for (const key of [undefined, body.publicAccessToken as string]) {
      const credential = key === undefined ? {} : { key };
      const byId = await server.api.session(body.id, credential);
      const byExternalId = await server.api.session('readable', credential);
      expect(byId.status).toBe(200);
      expect(byId.body).toEqual(byExternalId.body);
      const { runId: _runId, publicAccessToken: _token, isCached: _cached, ...session } = body;
      expect(byId.body).toEqual(session);
    }
  });
});

describe('an external id that is taken', () => {
  test('by an open session answers 200 with that session, and a fresh token', async () => {
    const first = await server.api.create({ externalId: 'twice' });
    const second = await server.api.create({ externalId: 'twice', type: 'other', taskIdentifier: 'quick' });
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body).toEqual({
      ...first.body,
      isCached: true,
      publicAccessToken: expect.any(String),
    });
    expect(second.body.publicAccessToken).not.toBe(first.body.publicAccessToken);
    await expect.poll(() => tasks.of(first.body.id)).toHaveLength(1);
  });

  test('writes config, tags, metadata and expiry through, and leaves what the body does not name', async () => {
    const first = await server.api.create({ externalId: 'written', tags: ['a'], metadata: { a: 1 } });
    const triggerConfig = { basePayload: { version: 2 }, maxAttempts: 5 };
    const second = await server.api.create({ externalId: 'written', triggerConfig, expiresAt: '2100-01-01T00:00:00Z' });
    expect(second.body).toMatchObject({ id: first.body.id, triggerConfig, tags: ['a'], metadata: { a: 1 } });
    expect(second.body.expiresAt).toBe('2100-01-01T00:00:00.000Z');
    expect((await server.api.session('written')).body.triggerConfig).toEqual(triggerConfig);
  });

  test('in one environment is free in another', async () => {
    const dev = await server.api.create({ externalId: 'shared' });
    const prod = await server.api.create({ externalId: 'shared' }, { key: site.prodKey });
    expect([dev.status, prod.status]).toEqual([201, 201]);
    expect(prod.body.id).not.toBe(dev.body.id);
    expect((await server.api.session(dev.body.id, { key: site.prodKey })).status).toBe(404);
  });

  test('whose run is over gets a continuation, once, with the new config', async () => {
    const first = await server.api.create({
      externalId: 'over',
      taskIdentifier: 'quick',
      triggerConfig: { basePayload: { trigger: 'preload' } },
    });
    await server.api.runWhen(first.body.runId, ({ isCompleted }) => isCompleted);
    expect((await server.api.session('over')).body.currentRunId).toBeNull();
    const second = await server.api.create({
      externalId: 'over',
      triggerConfig: { basePayload: { fresh: true, trigger: 'preload' } },
    });
    expect(second.status).toBe(200);
    expect(second.body.runId).not.toBe(first.body.runId);
    const run = await server.api.runWhen(second.body.runId, ({ isCompleted }) => isCompleted);
    expect(run.payload).toEqual({
      fresh: true,
      sessionId: first.body.id,
      continuation: true,
      previousRunId: first.body.runId,
    });
  });
});

describe('a repeated call with the same request key', () => {
  test.each([{ externalId: `replay-${randomUUID()}` }, {}])('is answered as the first time: %o', async (changes) => {
    const headers = { 'x-trigger-request-idempotency-key': randomUUID() };
    const first = await server.api.create(changes, { headers });
    const again = await server.api.create(changes, { headers });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body).toEqual({ ...first.body, publicAccessToken: expect.any(String) });
  });

  test('keeps the first run id also when a later run is current', async () => {
    const headers = { 'x-trigger-request-idempotency-key': randomUUID() };
    const changes = { externalId: 'replay-later', taskIdentifier: 'quick' };
    const first = await server.api.create(changes, { headers });
    await server.api.runWhen(first.body.runId, ({ isCompleted }) => isCompleted);
    await server.api.create(changes);
    const again = await server.api.create(changes, { headers });
    expect(again).toMatchObject({ status: 201, body: { id: first.body.id, runId: first.body.runId, isCached: false } });
  });

  test('without a key and without an external id two calls make two sessions', async () => {
    const [first, second] = [await server.api.create(), await server.api.create()];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(first.body.externalId).toBeNull();
    expect(second.body.id).not.toBe(first.body.id);
  });
});
