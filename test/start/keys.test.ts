/** `perdure keys`, as an operator types it, beside a server that runs and on a folder that a server holds. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { takeInstanceLock } from '../../src/instance-lock.ts';
import { spawnProcess } from '../harness/processes.ts';
import { openSite, type Site, siteEnvironment, startTestServer, type TestServer } from '../harness/server.ts';

let site: Site;
let server: TestServer;

beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
});

afterAll(async () => {
  await server?.stop();
  await site?.remove();
});

interface Told {
  readonly code: number | null;
  readonly lines: readonly string[];
}

async function keys(...words: string[]): Promise<Told> {
  return keysIn(siteEnvironment(site), ...words);
}

async function keysIn(environment: Record<string, string>, ...words: string[]): Promise<Told> {
  const spawned = spawnProcess({ command: ['keys', ...words], environment });
  const { code } = await spawned.exited;
  return { code, lines: spawned.lines };
}

async function keysJson(...words: string[]) {
  const { code, lines } = await keys(...words, '--json');
  if (code !== 0 || lines.length !== 1)
    throw new Error(`perdure keys ${words.join(' ')}: ${code}\n${lines.join('\n')}`);
  return JSON.parse(lines[0] ?? '');
}

const list = (key: string) => server.api.call('/api/v1/sessions', { key });
const answers = (key: string, status: number) =>
  vi.waitFor(async () => expect((await list(key)).status).toBe(status), 15_000);

test('a restricted key is made, works, is listed without its text, and is revoked', async () => {
  const made = await keysJson('create', '--env', 'dev', '--name', 'ci', '--scope', 'read:sessions', 'read:runs');
  expect(made).toEqual({
    id: expect.stringMatching(/^key_[a-z0-9]{25}$/),
    environment: 'dev',
    name: 'ci',
    scopes: ['read:sessions', 'read:runs'],
    key: expect.stringMatching(/^tr_dev_sk_[0-9a-zA-Z]{24}$/),
  });
  await answers(made.key, 200);
  expect((await server.api.create({ externalId: 'x' }, { key: made.key })).status).toBe(403);

  const listed = await keysJson('list');
  expect(listed).toContainEqual(
    expect.objectContaining({ id: made.id, kind: 'additional', state: 'live', name: 'ci' }),
  );
  expect(listed.map(({ kind }: { kind: string }) => kind).toSorted()).toEqual(['additional', 'root', 'root']);
  const { lines } = await keys('list');
  expect(JSON.stringify([listed, lines])).not.toMatch(/tr_(dev|prod)_/);

  expect(await keysJson('revoke', made.id)).toEqual({ id: made.id, revoked: true });
  await answers(made.key, 401);
});

test('a root key is rotated while the server runs: both work, then one does', async () => {
  const ofProd = (await keysJson('list')).find((key: { environment: string }) => key.environment === 'prod');
  const { code, lines } = await keys('rotate', ofProd.id, '--grace', '1h');
  expect(code).toBe(0);
  const successor = lines.find((line) => line.startsWith('tr_prod_')) ?? '';
  expect(successor).toMatch(/^tr_prod_[0-9a-f]{40}$/);
  await answers(successor, 200);
  expect((await list(site.prodKey)).status).toBe(200);
  const again = await keys('rotate', ofProd.id);
  expect([again.code, again.lines.join()]).toEqual([1, expect.stringContaining('was rotated or revoked before')]);
  await keysJson('revoke', ofProd.id);
  await answers(site.prodKey, 401);
  expect((await list(successor)).status).toBe(200);
});

describe('is refused in a sentence, and nothing is told of what was typed by mistake', () => {
  test.each([
    [['create', '--env', 'dev'], 'Say what the key may do: --root, or --scope <scope>.'],
    [['create', '--env', 'stg', '--scope', 'read:sessions'], 'The environment stg has no root key'],
    [['create', '--env', 'dev', '--scope', 'reed:sessions'], 'a scope is admin or'],
    [['revoke', 'key_of0nobody'], 'There is no key key_of0nobody.'],
    [['rotate', 'tr_dev_pasted0by0mistake'], 'Expected the id of a key (key_...)'],
  ])('%j', async (words, sentence) => {
    const { code, lines } = await keys(...words);
    expect(code).toBe(1);
    expect(lines).toEqual([expect.stringContaining(sentence)]);
    expect(lines.join()).not.toContain('pasted0by0mistake');
  });
});

test('the last root key of an environment goes only by a rotation, or when that is said', async () => {
  const ofDev = (await keysJson('list')).find((key: { environment: string }) => key.environment === 'dev');
  const { code, lines } = await keys('revoke', ofDev.id);
  expect(code).toBe(1);
  expect(lines.join()).toContain(`perdure keys rotate ${ofDev.id} --grace 0s`);
  expect((await list(site.devKey)).status).toBe(200);
});

test('ENCRYPTION_KEY is rotated: added in front, keys sealed anew, the old one dropped', async () => {
  const newest = randomBytes(32).toString('hex');
  const startWith = async (ENCRYPTION_KEY: string) =>
    (await startTestServer({ site, sessionWorker: false, environment: { ENCRYPTION_KEY } })).stop();
  await expect(startWith(newest)).rejects.toThrow('ENCRYPTION_KEY does not open the secret keys stored');
  const early = await keysIn({ ...siteEnvironment(site), ENCRYPTION_KEY: newest }, 'reseal');
  expect([early.code, early.lines.join()]).toEqual([1, expect.stringContaining('does not open')]);

  const both = `${newest},${site.encryptionKey}`;
  await startWith(both);
  const { code, lines } = await keysIn({ ...siteEnvironment(site), ENCRYPTION_KEY: both }, 'reseal', '--json');
  expect([code, JSON.parse(lines[0] ?? '')]).toMatchObject([0, { current: 0 }]);
  await startWith(newest);
  await expect(startWith(site.encryptionKey)).rejects.toThrow('ENCRYPTION_KEY does not open the secret keys stored');
  // A server that runs keeps the keys that it has opened.
  expect((await list(site.devKey)).status).toBe(200);
});

test('on a folder that a running server holds, it says what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'perdure-held-'));
  const lock = await takeInstanceLock(folder);
  const { code, lines } = await keysIn({ DATA_DIR: folder }, 'list');
  expect(code).toBe(1);
  expect(lines).toEqual([expect.stringContaining('Stop that one, run this command again, then start it again')]);
  await lock.release();
  await rm(folder, { recursive: true, force: true });
});
