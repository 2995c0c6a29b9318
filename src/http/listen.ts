/** A listening socket for the app, and how it comes to rest. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type Koa from 'koa';
import { refuseUnparsed } from './refuse-unparsed.ts';
import type { RequestState } from './route.ts';
import { idleLingerMs, requestsPerSocketMax, serverLimits } from './server-limits.ts';

export interface Listener {
  readonly port: number;
  /** Takes no new connection, lets answers under way finish for `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

/** Answers what is below its own path, and connections that speak another version of HTTP on the same port. */
export interface PortSharer {
  owns(url: string | undefined): boolean;
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Called before anything else listens to the server. */
  share(server: Server): {
    /** Resolves when everything of it has ended in order. */
    stop(): Promise<void>;
    /** Cuts what has not. */
    cut(): void;
  };
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** @param address port 0 takes any free one. Throws a plain sentence when the address is taken. */
export async function listen(app: Koa<RequestState>, address: Address, sharer?: PortSharer): Promise<Listener> {
  const answer = app.callback();
  const server = createServer(serverLimits, (request, response) => {
    if (sharer?.owns(request.url) === true) void sharer.answer(request, response);
    else void answer(request, response);
  });
  server.maxRequestsPerSocket = requestsPerSocketMax;
  const shared = sharer?.share(server) ?? null;
  refuseUnparsed(server);
  const connections = watchConnections(server);
  await opened(server, address);
  return {
    port: (server.address() as AddressInfo).port,
    close(graceMs) {
      void shared?.stop();
      return closed(server, { connections, cut: () => shared?.cut() }, graceMs);
    },
  };
}

interface Connections {
  /** Ends those without an answer under way soon, the others soon after theirs has left. */
  drain(): void;
}

/**
 * Node's own `closeIdleConnections`, which `http.Server.close` calls too, takes a connection for idle once its
 * answer is complete in memory, and cuts what a slow reader has not taken yet. So we count answers until they have left.
 */
function watchConnections(server: Server): Connections {
  /** Answers under way; null before the first request, which may be on its way: only the grace ends that wait. */
  const unsent = new Map<Socket, number | null>();
  let isDraining = false;
  const endUnlessUsed = (socket: Socket): void => {
    const endIfIdle = () => {
      if (unsent.get(socket) === 0) socket.destroySoon();
    };
    // Timers come before sockets are read, immediates after: a late timer must not miss what has arrived meanwhile.
    const linger = setTimeout(() => setImmediate(endIfIdle), idleLingerMs);
    socket.once('close', () => clearTimeout(linger));
  };
  server.on('connection', (socket: Socket) => {
    unsent.set(socket, null);
    socket.once('close', () => unsent.delete(socket));
  });
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    if (isDraining) response.setHeader('Connection', 'close');
    unsent.set(socket, (unsent.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const left = (unsent.get(socket) ?? 1) - 1;
      if (unsent.has(socket)) unsent.set(socket, left);
      if (isDraining && left === 0) endUnlessUsed(socket);
    });
  });
  return {
    drain() {
      isDraining = true;
      for (const [socket, count] of unsent) if (count === 0) endUnlessUsed(socket);
    },
  };
}

function opened(server: Server, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE';
      reject(isTaken ? new Error(`Port ${port} of ${host} is taken by another process`, { cause: error }) : error);
    });
    server.listen(port, host, () => resolve());
  });
}

function closed(
  server: Server,
  { connections, cut: cutShared }: { connections: Connections; cut: () => void },
  graceMs: number,
): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      server.closeAllConnections();
      cutShared();
    }, graceMs);
    NetServer.prototype.close.call(server, () => {
      clearTimeout(cut);
      // No connection is left to cut: this only ends the timer that looks for overdue ones.
      server.close();
      resolve();
    });
    connections.drain();
  });
}
