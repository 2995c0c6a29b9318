/** A listening socket for the app, and how it comes to rest. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Koa from 'koa';
import type { RequestState } from './route.ts';
import { requestsPerSocketMax, serverLimits } from './server-limits.ts';

export interface Listener {
  readonly port: number;
  /** Takes no new connection, lets answers under way finish for `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

/** While closing, connections that have become idle are looked for this often. */
const idleSweepMs = 50;

/** @param address port 0 takes any free one. Throws a plain sentence when the address is taken. */
export async function listen(app: Koa<RequestState>, address: { host: string; port: number }): Promise<Listener> {
  const answer = app.callback();
  const server = createServer(serverLimits, (request, response) => void answer(request, response));
  server.maxRequestsPerSocket = requestsPerSocketMax;
  let isClosing = false;
  server.prependListener('request', (_request, response) => {
    if (isClosing) response.setHeader('Connection', 'close');
  });
  await opened(server, address);
  return {
    port: (server.address() as AddressInfo).port,
    async close(graceMs) {
      isClosing = true;
      await closed(server, graceMs);
    },
  };
}

function opened(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE';
      reject(isTaken ? new Error(`Port ${port} of ${host} is taken by another process`, { cause: error }) : error);
    });
    server.listen(port, host, () => resolve());
  });
}

function closed(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), idleSweepMs);
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
