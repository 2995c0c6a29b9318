/**
 * HTTP/2 with prior knowledge on the port of an HTTP/1.1 server. The first three bytes of a connection tell: no method of
 * HTTP/1.1 begins with `PRI`. Connections of HTTP/2 are never told to go away: a client that is told so while it begins an
 * append gives that append up, whereas a connection that breaks has it try again.
 */
import type { Server } from 'node:http';
import { createServer, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Request } from './append-session.ts';
import { keepAliveProbeMs, prefaceDeadlineMs, windowBytes } from './limits.ts';
import type { Response } from './session-wire.ts';

export interface SharedPort {
  /** Cuts the connections of HTTP/2. */
  cut(): void;
  /** Cuts those that have not said yet what they speak. */
  cutSilent(): void;
}

const preface = Buffer.from('PRI');
/** @param server whose own listener for connections is the first one */
export function sharePort(server: Server, answer: (request: Request, response: Response) => void): SharedPort {
  const sockets = new Set<Socket>();
  const silent = new Set<Socket>();
  const http2 = createServer({
    // Clients open up to a hundred streams on one connection before they open another.
    settings: { maxConcurrentStreams: 256, initialWindowSize: windowBytes },
    maxSessionMemory: 64,
  });
  http2.on('request', answer);
  http2.on('session', (session: ServerHttp2Session) => session.setLocalWindowSize(8 * windowBytes));
  // A connection that broke: its streams have been told.
  http2.on('sessionError', () => undefined);
  const [takeHttp1] = server.listeners('connection') as ((socket: Socket) => void)[];
  if (takeHttp1 === undefined) throw new Error('the server takes no connections');
  server.off('connection', takeHttp1);
  server.prependListener('connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
    sniff(socket, (isHttp2) => {
      silent.delete(socket);
      if (!isHttp2) return takeHttp1.call(server, socket);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.setKeepAlive(true, keepAliveProbeMs);
      http2.emit('connection', socket);
    });
  });
  return {
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    cutSilent() {
      for (const socket of silent) socket.destroy();
    },
  };
}

/** Calls back once, unless the connection ends or says nothing in time. */
function sniff(socket: Socket, onKnown: (isHttp2: boolean) => void): void {
  let seen = Buffer.alloc(0);
  const silent = setTimeout(() => socket.destroy(), prefaceDeadlineMs);
  const stop = (): void => {
    clearTimeout(silent);
    socket.off('readable', look).off('error', ignore).off('close', stop);
  };
  const look = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const isPreface = preface.subarray(0, seen.length).equals(seen.subarray(0, preface.length));
    if (isPreface && seen.length < preface.length) return;
    stop();
    socket.unshift(seen);
    onKnown(isPreface);
  };
  const ignore = (): void => undefined;
  socket.on('readable', look).on('error', ignore).on('close', stop);
}
