/** Snapshots and transcripts over HTTP, with the SDK's own code at the other end of the signed URLs. */
import { configure } from '@trigger.dev/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { snapshotBytesMax } from '../../src/domain/limits.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { headOf, openRaw } from './edge.ts';

let site: Site;
let server: TestServer;

beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
  // Of the whole process: no other test file runs in it.
  configure({ baseURL: server.url, accessToken: site.devKey });
});

afterAll(async () => {
  await server?.stop();
  await site?.remove();
});

const open = async (externalId: string): Promise<string> => (await server.api.create({ externalId })).body.id;

async function urlFor(method: 'GET' | 'PUT', key: string): Promise<string> {
  const answer = await server.api.call(`/api/v1/sessions/${encodeURIComponent(key)}/snapshot-url`, { method });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  return answer.body.presignedUrl;
}

const put = (url: string, body: NonNullable<RequestInit['body']>, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'PUT', body, headers, duplex: 'half' });

/** Not exported by the SDK: the storage that its chat agent uses when it is given none. */
async function storageOfSdk() {
  const { snapshotTranscriptStorage } = await import(
    new URL('transcriptStorage.js', import.meta.resolve('@trigger.dev/sdk')).href
  );
  return snapshotTranscriptStorage();
}

describe('the SDK', () => {
  const said = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      id: `m${index}`,
      role: 'user',
      parts: [{ type: 'text', text: 'ü🙂' }],
    }));

  test('saves a turn and finds it again, whole and by pages', async () => {
    const storage = await storageOfSdk();
    const chatId = 'chat / of the SDK';
    await open(chatId);
    expect(await storage.load({ chatId })).toMatchObject({ messages: [], cursors: undefined });
    expect(await storage.load({ chatId }, { limit: 3 })).toMatchObject({ messages: [] });

    const messages = said(7);
    const cursors = { lastOutEventId: '41', lastInEventId: '7' };
    const entries = messages.map((message) => ({ id: message.id, final: true, message }));
    await storage.save({ chatId }, { changes: [], transcript: { entries, state: { v: 1 } }, cursors });
    expect(await storage.load({ chatId })).toMatchObject({ messages, cursors, state: { v: 1 } });
    const newest = await storage.load({ chatId }, { limit: 3 });
    expect(newest).toMatchObject({ messages: messages.slice(4), cursors, nextCursor: 'm4' });
    const older = await storage.load({ chatId }, { limit: 10, before: 'm4' });
    expect(older).toMatchObject({ messages: messages.slice(0, 4), nextCursor: undefined });
  });
});

describe('a snapshot', () => {
  test('is what was stored last, under either form of the key and with the type it came with', async () => {
    const id = await open('both forms');
    const [write, read] = [await urlFor('PUT', 'both forms'), await urlFor('GET', id)];
    expect(new URL(write).pathname).toBe(`/objects/v1/sessions/${id}/snapshot.json`);
    expect(new URL(read).pathname).toBe(new URL(write).pathname);
    const absent = await fetch(read);
    expect([absent.status, await absent.json()]).toEqual([404, { error: 'Not found' }]);

    const bytes = Buffer.from([0, 255, 10, 13, 0xc3, 0x28]);
    expect((await put(write, bytes, { 'content-type': 'application/vnd.trigger.transcript+ndjson' })).status).toBe(204);
    const first = await fetch(read);
    expect(first.headers.get('content-type')).toBe('application/vnd.trigger.transcript+ndjson');
    expect(first.headers.get('content-security-policy')).toContain('sandbox');
    expect(Buffer.from(await first.arrayBuffer())).toEqual(bytes);
    const head = await fetch(read, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '6']);

    expect((await put(write, 'second')).status).toBe(204);
    expect(await (await fetch(read)).text()).toBe('second');
  });

  test('can be stored and read when the session has ended', async () => {
    const id = await open('ended');
    await server.api.call(`/api/v1/sessions/${id}/close`, { method: 'POST', body: {} });
    expect((await put(await urlFor('PUT', id), 'last words')).status).toBe(204);
    expect(await (await fetch(await urlFor('GET', id))).text()).toBe('last words');
  });

  test('of more bytes than the limit is refused, declared or not, and the one before it stays', async () => {
    const id = await open('too large');
    const [write, read] = [await urlFor('PUT', id), await urlFor('GET', id)];
    await put(write, 'before');
    const client = await openRaw(Number(new URL(write).port));
    client.send(headOf('PUT', write.slice(server.url.length), { 'Content-Length': String(snapshotBytesMax + 1) }));
    await expect.poll(() => client.received()).toContain('Request body too large');
    expect(client.received()).toMatch(/^HTTP\/1.1 413 /);
    client.socket.destroy();

    async function* endless(): AsyncGenerator<Buffer> {
      const chunk = Buffer.alloc(1_048_576, 'x');
      for (let sent = 0; sent <= snapshotBytesMax; sent += chunk.length) yield chunk;
    }
    const streamed = await put(write, endless());
    expect([streamed.status, await streamed.json()]).toEqual([413, { error: 'Request body too large' }]);
    expect(await (await fetch(read)).text()).toBe('before');
  });

  test('of a signed URL that was altered is neither shown nor stored', async () => {
    const id = await open('altered');
    const other = await open('another');
    const [write, read] = [await urlFor('PUT', id), await urlFor('GET', id)];
    const invalid = { error: 'The URL is invalid or has expired' };
    for (const [url, method] of [
      [read, 'PUT'],
      [write, 'GET'],
      [write.replace(id, other), 'PUT'],
      [`${write}&x=1`, 'PUT'],
      [write.replace(/expires=\d/, 'expires=9'), 'PUT'],
      [write.replace(/\?.*/, ''), 'PUT'],
    ] as const) {
      const answer = await fetch(url, { method, ...(method === 'PUT' ? { body: 'x' } : {}) });
      expect([answer.status, await answer.json()]).toEqual([403, invalid]);
    }
    expect((await fetch(read)).status).toBe(404);
  });

  test('V14: is stored by the attempt that asked for its URL while that serves the session, and not later', async () => {
    const { id, currentRunId } = (await server.api.create({ externalId: 'fenced' })).body;
    const claim = async (attempt: number) =>
      (await server.api.call(`/api/v1/runs/${currentRunId}/claim`, { method: 'POST', body: { attempt } })).body
        .attemptKey;
    const urlOf = async (key: string) =>
      (await server.api.call(`/api/v1/sessions/${id}/snapshot-url`, { method: 'PUT', key })).body.presignedUrl;
    const first = await urlOf(await claim(1));
    expect((await put(first, 'first')).status).toBe(204);
    const second = await urlOf(await claim(2));
    const refused = await put(first, 'zombie');
    expect([refused.status, refused.headers.get('x-should-retry'), await refused.json()]).toEqual([
      409,
      'false',
      { error: 'Another attempt serves this session', code: 'snapshot_refused' },
    ]);
    expect(await (await fetch(await urlFor('GET', id))).text()).toBe('first');
    expect((await put(second, 'second')).status).toBe(204);
    // For another session it is a key like any other.
    const other = await open('of another');
    const elsewhere = await server.api.call(`/api/v1/sessions/${other}/snapshot-url`, {
      method: 'PUT',
      key: await claim(3),
    });
    expect((await put(elsewhere.body.presignedUrl, 'x')).status).toBe(204);
  });

  test('of a session that does not exist has no URL', async () => {
    for (const [method, error] of [
      ['GET', 'Not found'],
      ['PUT', 'Resource not found'],
    ] as const) {
      const answer = await server.api.call('/api/v1/sessions/nobody/snapshot-url', { method });
      expect([answer.status, answer.body]).toEqual([404, { error }]);
    }
  });

  test('holds no secret of the API in its URL', async () => {
    const url = await urlFor('PUT', await open('secretive'));
    expect(url).not.toContain(site.devKey);
    expect(url).not.toContain(site.encryptionKey);
  });
});

describe('a transcript', () => {
  const page = (key: string, query = '') => server.api.call(`/api/v1/sessions/${key}/transcript${query}`);

  test('is read out of snapshots of older releases, and is empty where there is none', async () => {
    const id = await open('older');
    expect((await page(id)).body).toEqual({ messages: [] });
    const write = await urlFor('PUT', id);
    await put(
      write,
      JSON.stringify({ version: 1, savedAt: 1, messages: [{ id: 'a' }, { id: 'b' }], lastOutEventId: '3' }),
    );
    expect((await page('older', '?limit=1')).body).toEqual({
      messages: [{ id: 'b' }],
      nextCursor: 'b',
      cursors: { lastOutEventId: '3' },
    });
    expect((await page('older', '?limit=0&before=b')).body).toMatchObject({ messages: [{ id: 'a' }] });
    await put(write, 'nothing that the SDK wrote');
    expect((await page(id)).body).toEqual({ messages: [] });
  });

  test.each(['?limit=x', '?limit=', '?limit=1.5', '?limit=1&limit=2', '?before=a&before=b'])(
    'of %s is refused',
    async (query) => {
      await open('queried');
      const answer = await page('queried', query);
      expect([answer.status, answer.body.error]).toEqual([400, 'Query Error']);
    },
  );
});
