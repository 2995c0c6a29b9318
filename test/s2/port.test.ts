/** One port, two protocols: how a connection is told from its first bytes, and how both come to rest. */
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { credentialOf, inputOf, openSession } from './wire.ts';

async function startOwn(): Promise<{ site: Site; server: TestServer }> {
  const site = await openSite();
  const server = await startTestServer({ site });
  onTestFinished(async () => {
    await server.stop();
    await site.remove();
  });
  return { site, server };
}

/** Each byte in a packet of its own, as far as the network leaves it so. */
async function sendByteByByte(socket: Socket, bytes: Buffer): Promise<void> {
  socket.setNoDelay(true);
  for (const byte of bytes) {
    await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a connection', () => {
  test('is told by its first bytes, one by one', async () => {
    const { server } = await startOwn();
    const { port } = new URL(server.url);
    const open = () => connect(Number(port), '127.0.0.1');

    const http2 = open();
    await sendByteByByte(http2, Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    await sendByteByByte(http2, Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0));
    const [settings] = await new Promise<[Buffer]>((resolve) =>
      http2.once('data', (chunk: Buffer) => resolve([chunk])),
    );
    expect(settings.readUInt8(3)).toBe(4);
    http2.destroy();

    for (const [head, status] of [
      ['GET /healthz HTTP/1.1', 200],
      ['POST /api/v1/sessions HTTP/1.1', 401],
      ['PUT /realtime/v1/sessions/x/out HTTP/1.1', 401],
      ['PRX / HTTP/1.1', 400],
      ['PR', 400],
    ] as const) {
      const http1 = open();
      await sendByteByByte(http1, Buffer.from(`${head}\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`));
      expect(await text(http1)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
  });

  test('of HTTP/2 reaches nothing but the data plane', async () => {
    const { server } = await startOwn();
    await server.api.create({ externalId: 'port-other', taskIdentifier: 'nobody' });
    const credential = await credentialOf(server, 'port-other');
    const session = await openSession(credential);
    const stream = session.http2.request({ ':method': 'GET', ':path': '/healthz' });
    const status = await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])));
    expect(status).toBe(404);
    session.close();
  });
});

test('a stopping server acknowledges what is under way, refuses the rest, and cuts idle connections', async () => {
  const { site, server } = await startOwn();
  const { body } = await server.api.create({ externalId: 'port-stop', taskIdentifier: 'nobody' });
  const credential = await credentialOf(server, 'port-stop');
  const [busy, idle] = [await openSession(credential), await openSession(credential)];
  const cut = new Promise((resolve) => idle.http2.once('close', resolve));

  const holder = new pg.Client(site.databaseUrl);
  await holder.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM gates WHERE session_id = $1 FOR NO KEY UPDATE', [body.id]);
  busy.send(inputOf(['under way']));
  busy.send(inputOf(['waits']));
  const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
  await expect.poll(async () => (await holder.query(waiting)).rowCount).toBe(1);
  const stopped = server.stop();
  await expect.poll(() => fetch(`${server.url}/healthz`).catch(() => 'refused')).toBe('refused');
  await holder.query('ROLLBACK');
  await holder.end();

  expect(await busy.next()).toMatchObject({ first: 0, end: 1 });
  expect(await busy.next()).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  expect(await idle.next()).toMatchObject({ status: 503 });
  await cut;
  await stopped;
});
