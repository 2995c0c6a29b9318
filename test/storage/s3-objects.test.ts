/** Objects in a store that speaks S3 and checks what is signed; and a server that keeps its snapshots there. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Unavailable } from '../../src/domain/failure.ts';
import { s3Objects } from '../../src/storage/s3-objects.ts';
import { type ObjectStoreServer, startObjectStore } from '../harness/object-store.ts';
import { installTimeoutMs, whyNoPython } from '../harness/python-packages.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';

const whyNot = await whyNoPython();
if (whyNot !== null && process.env['CI']) throw new Error(`an object store is tested, but ${whyNot}`);
if (whyNot !== null) console.warn(`No Python on this machine (${whyNot}): the object store is not tested.`);

describe.skipIf(whyNot !== null)('an object store', () => {
  let s3: ObjectStoreServer;
  let site: Site;
  let server: TestServer;

  beforeAll(async () => {
    s3 = await startObjectStore();
    site = await openSite();
    server = await startTestServer({
      site,
      environment: {
        S3_ENDPOINT: `${s3.endpoint}/`,
        S3_BUCKET: s3.bucket,
        S3_REGION: s3.region,
        S3_ACCESS_KEY_ID: s3.accessKeyId,
        S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
        S3_PREFIX: '/of/this-server/',
      },
    });
  }, installTimeoutMs);

  afterAll(async () => {
    s3?.resume();
    await server?.stop();
    await site?.remove();
    await s3?.stop();
  });

  test('keeps bytes under a name, and has none under others', async () => {
    const objects = s3Objects(s3);
    const bytes = randomBytes(3_000_000);
    for (const name of ['plain', 'sessions/session_1/snapshot-1.json']) {
      await objects.put(name, { contentType: 'text/x-test', bytes });
      expect(Buffer.compare(Buffer.from((await objects.get(name)) ?? []), bytes)).toBe(0);
      expect(await s3.list()).toContain(`perdure/${name}`);
      await objects.remove(name);
      expect(await objects.get(name)).toBeNull();
      await objects.remove(name);
    }
  });

  test('that does not take our signature, or is not there, is unavailable and not empty', async () => {
    const wrong = s3Objects({ ...s3, secretAccessKey: 'x'.repeat(40) });
    await expect(wrong.get('x')).rejects.toBeInstanceOf(Unavailable);
    await expect(wrong.put('x', { contentType: 'a/b', bytes: Buffer.from('x') })).rejects.toThrow('object store');
    const absent = s3Objects({ ...s3, bucket: 'nowhere' });
    await expect(absent.put('x', { contentType: 'a/b', bytes: Buffer.from('x') })).rejects.toThrow('object store');
    const closed = s3Objects({ ...s3, endpoint: 'http://127.0.0.1:1' });
    await expect(closed.get('x')).rejects.toThrow('object store');
  });

  test('holds the one snapshot of a session that counts, and clients see this server alone', async () => {
    const { body: session } = await server.api.create({ externalId: 'kept elsewhere' });
    const urlFor = async (method: string) =>
      (await server.api.call(`/api/v1/sessions/${session.id}/snapshot-url`, { method })).body.presignedUrl;
    const [write, read] = [await urlFor('PUT'), await urlFor('GET')];
    expect(new URL(write).origin).toBe(server.url);
    expect((await fetch(read)).status).toBe(404);
    for (const text of ['first', 'second']) {
      expect((await fetch(write, { method: 'PUT', body: text })).status).toBe(204);
      expect(await (await fetch(read)).text()).toBe(text);
    }
    const own = (await s3.list()).filter((name) => name.includes(session.id));
    expect(own).toEqual([expect.stringMatching(/^of\/this-server\/sessions\/session_\w+\/snapshot-[\w-]+\.json$/)]);
  });

  test('that hangs is told by name within its deadline', async () => {
    const { body: session } = await server.api.create({ externalId: 'hung' });
    const { body } = await server.api.call(`/api/v1/sessions/${session.id}/snapshot-url`, { method: 'PUT' });
    s3.pause();
    const answer = await fetch(body.presignedUrl, { method: 'PUT', body: 'x' });
    s3.resume();
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ error: 'The object store is not available; try again' });
  });
});
