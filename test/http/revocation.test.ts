/** What a key opened ends with it, in every process (protocol section 15, row 20). */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openEventStream } from '../harness/event-stream.ts';
import { keysOf, type SiteKeys } from '../harness/keys.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { openSessionStage, type SessionStage } from './session-stage.ts';

let stage: SessionStage;
let other: TestServer;
let keys: SiteKeys;

beforeAll(async () => {
  stage = await openSessionStage();
  other = await startTestServer({ site: stage.site, sessionWorker: false });
  keys = keysOf(stage.site, stage.database);
});

afterAll(async () => {
  await other?.stop();
  await stage?.stop();
});

/** A key is known to every process a moment after it was made. */
const works = (key: string, server = stage.server) =>
  vi.waitFor(async () => expect((await statusOf(key, server)).status).not.toBe(401), 10_000);
const statusOf = (key: string, server = stage.server) => server.api.call('/api/v1/sessions', { key });
const streamOf = ({ url }: TestServer, session: string) => `${url}/realtime/v1/sessions/${session}/out`;

async function tokenOf(key: string, ...scopes: string[]): Promise<string> {
  const answer = await stage.api.call('/api/v1/auth/public-tokens', { method: 'POST', key, body: { scopes } });
  expect(answer.status).toBe(200);
  return answer.body.token;
}

/** More than two looks at the table: the bound of a process that hears no notification. */
const boundMs = 15_000;

test('a revoked key ends its tails, and those of tokens that it ordered, in two processes; others go on', async () => {
  const { externalId } = await stage.open('quick');
  const key = await keys.additional('read:sessions');
  await Promise.all([works(key.key), works(key.key, other)]);
  const token = await tokenOf(key.key, `read:sessions:${externalId}`);
  const servers = [stage.server, other];
  const open = (credential: string) =>
    servers.map((server) => openEventStream(streamOf(server, externalId), { key: credential }));
  const ending = await Promise.all([...open(key.key), ...open(token)]);
  const lasting = await Promise.all(open(stage.site.devKey));
  expect([...ending, ...lasting].map(({ status }) => status)).toEqual(Array(6).fill(200));

  await keys.revoke(key.id);
  await vi.waitFor(() => {
    const told = ending.map(({ frames }) => frames.at(-1));
    expect(told).toEqual(Array(4).fill('event: error\ndata: The key behind this stream is no longer valid'));
  }, boundMs);
  await Promise.all(ending.map(({ ended }) => ended));
  for (const server of servers) {
    expect((await statusOf(key.key, server)).status).toBe(401);
    expect((await server.api.session(externalId, { key: token })).status).toBe(401);
  }
  expect(lasting.every(({ frames }) => !frames.some((frame) => frame.includes('event: error')))).toBe(true);
  for (const client of lasting) client.leave();
});

test('also in a process that hears of nothing', async () => {
  const { externalId } = await stage.open('quick');
  const key = await keys.additional('read:sessions');
  await works(key.key);
  const tail = await openEventStream(streamOf(stage.server, externalId), { key: key.key });
  await stage.database.query('UPDATE api_keys SET revoked_at = clock_timestamp() WHERE id = $1', [key.id]);
  await vi.waitFor(() => expect(tail.frames.at(-1)).toContain('no longer valid'), boundMs);
});

describe('a rotated root key', () => {
  test('and its tokens are good beside the new one in its grace, and end with it', async () => {
    const { externalId } = await stage.open('quick');
    const old = await keys.root();
    await works(old.key);
    const successor = await keys.rotate(old.id, 3);
    const tail = await openEventStream(streamOf(stage.server, externalId), { key: old.key });
    expect([tail.status, (await statusOf(old.key)).status]).toEqual([200, 200]);
    await works(successor.key);
    // Nobody acts: the clock ends it.
    await vi.waitFor(() => expect(tail.frames.at(-1)).toContain('no longer valid'), boundMs);
    expect((await statusOf(old.key)).status).toBe(401);
    expect((await statusOf(successor.key)).status).toBe(200);
  });

  test('signs no new token', async () => {
    const old = await keys.root();
    await works(old.key);
    const before = await tokenOf(old.key, 'read:sessions');
    const successor = await keys.rotate(old.id, 3_600);
    await works(successor.key);
    const after = await tokenOf(old.key, 'read:sessions');
    await keys.revoke(old.id);
    await vi.waitFor(async () => expect((await statusOf(before)).status).toBe(401), boundMs);
    expect((await statusOf(after)).status).toBe(200);
  });
});
