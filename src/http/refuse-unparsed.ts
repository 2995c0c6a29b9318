/**
 * Requests that never become one: what the parser refuses, `CONNECT`, and an expectation that nobody can meet. Node
 * answers them without a body, and before the answer to an earlier request on the same connection; ours come in order
 * and in the API's own shape.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { unreadDeadlineMs } from './server-limits.ts';

interface Pending {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

interface Unparsed {
  readonly status: number;
  readonly error: string;
}

const malformed: Unparsed = { status: 400, error: 'Malformed request' };

const refusedFor: Readonly<Record<string, Unparsed>> = {
  HPE_HEADER_OVERFLOW: { status: 431, error: 'Request headers too large' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, error: 'Request body too large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, error: 'Request did not arrive in time' },
};

export function refuseUnparsed(server: Server): void {
  /** Of each connection, in their order; those that are over leave when the next one comes. */
  const exchanges = new WeakMap<Duplex, readonly Pending[]>();
  const refused = new WeakSet<Duplex>();
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const open = exchanges.get(request.socket)?.filter(isOpen) ?? [];
    exchanges.set(request.socket, [...open, { request, response }]);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // The rest of what cannot be read is refused again and again.
    if (refused.has(socket)) return;
    refused.add(socket);
    refuseInTurn(socket, exchanges.get(socket)?.filter(isOpen) ?? [], refusedFor[error.code ?? ''] ?? malformed);
  });
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    endWith(socket, { status: 405, error: 'Method not allowed' });
  });
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const body = bodyOf('Expectation cannot be met');
    const headers = { 'Content-Type': contentType, 'Content-Length': body.length, Connection: 'close' };
    response.writeHead(417, { ...headers, ...forbidSniffing }).end(body);
  });
}

const isOpen = ({ response }: Pending): boolean => !response.writableFinished && !response.destroyed;

/** Whole requests before it are answered first; the one in whose body the fault is may have had its answer by then. */
function refuseInTurn(socket: Duplex, open: readonly Pending[], refusal: Unparsed): void {
  const last = open.findLast(({ request }) => request.complete);
  const broken = open.find(({ request }) => !request.complete);
  const refuse = (): void => {
    if (broken?.response.headersSent === true) endSoon(socket);
    else endWith(socket, refusal);
  };
  if (last === undefined) refuse();
  else last.response.once('close', refuse);
}

const contentType = 'application/json; charset=utf-8';
const forbidSniffing = { 'X-Content-Type-Options': 'nosniff' };
const bodyOf = (error: string): Buffer => Buffer.from(JSON.stringify({ error }));

function endWith(socket: Duplex, { status, error }: Unparsed): void {
  const body = bodyOf(error);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `Content-Type: ${contentType}`,
    `Content-Length: ${body.length}`,
    'X-Content-Type-Options: nosniff',
    'Connection: close',
  ];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body.toString()}`);
  endSoon(socket);
}

/** The client may still be writing: closing at once would take the answer from it. */
function endSoon(socket: Duplex): void {
  socket.on('error', () => undefined);
  socket.end();
  const cut = setTimeout(() => socket.destroy(), unreadDeadlineMs);
  socket.once('close', () => clearTimeout(cut));
  socket.resume();
}
