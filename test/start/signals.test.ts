/** How a server takes the second signal. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PerdureProcess, startProcess } from '../harness/processes.ts';
import { openSite, type Site, siteEnvironment } from '../harness/server.ts';

let site: Site;

beforeAll(async () => {
  site = await openSite();
});

afterAll(async () => {
  await site?.remove();
});

/** Its stop waits for a request that never arrives whole. */
async function startBusyServer(): Promise<PerdureProcess> {
  const server = await startProcess({ command: ['api', '--no-worker'], environment: siteEnvironment(site) });
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write('POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\n');
  // The server has seen the connection once it has answered another one.
  await fetch(`${server.url}/healthz`);
  return server;
}

test('an echo of the first signal changes nothing: npm passes on what the whole group got', async () => {
  const server = await startBusyServer();
  server.signal('SIGTERM');
  await server.line(/"msg":"stopping"/);
  server.signal('SIGTERM');
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

test('a person who asks again does not wait', async () => {
  const server = await startBusyServer();
  server.signal('SIGINT');
  await server.line(/"msg":"stopping"/);
  const echoMs = 600;
  await sleep(echoMs);
  server.signal('SIGINT');
  expect(await server.exited).toEqual({ code: 130, signal: null });
});
