/**
 * One kept-alive connection and the least of HTTP/1.1 that the measured servers' answers need. Node's client takes half
 * a millisecond of processor time for a call, which on a small machine would be measured as if the server took it.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { AnswerReader } from './http-answer.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

export interface HttpConnection {
  /** One at a time. @param request head and body, as they go over the wire */
  send(request: string): Promise<HttpAnswer>;
  /** The server ends a connection after so many requests, and says so in its last answer. */
  isOpen(): boolean;
  close(): void;
}

export async function openSocket({ hostname, port }: URL): Promise<Socket> {
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  // A failure shows in the call under way, which then has no answer.
  socket.on('error', () => {});
  return socket;
}

async function openConnection(url: URL): Promise<HttpConnection> {
  const socket = await openSocket(url);
  let isOpen = true;
  socket.once('close', () => {
    isOpen = false;
  });
  return {
    async send(request) {
      if (!isOpen) throw new Error('the connection has ended');
      socket.write(request);
      const { answer, isLast } = await readAnswer(socket);
      if (isLast) isOpen = false;
      return answer;
    },
    isOpen: () => isOpen,
    close: () => socket.destroy(),
  };
}

export interface HttpClient {
  /** On a connection that nobody uses, or a new one. */
  send(request: string): Promise<HttpAnswer>;
  close(): void;
}

/** Servers end idle connections, Node's own default after 5 s: a request must not meet that end on its way. */
const idleMaxMs = 3_000;

export function httpClient(url: URL): HttpClient {
  /** The one that was used last is at the end. */
  const idle: { readonly connection: HttpConnection; readonly sinceMs: number }[] = [];

  function takeIdle(): HttpConnection | null {
    for (let found = idle.pop(); found !== undefined; found = idle.pop()) {
      const { connection, sinceMs } = found;
      if (connection.isOpen() && performance.now() - sinceMs < idleMaxMs) return connection;
      connection.close();
    }
    return null;
  }

  return {
    async send(request) {
      const connection = takeIdle() ?? (await openConnection(url));
      const answer = await connection.send(request);
      if (connection.isOpen()) idle.push({ connection, sinceMs: performance.now() });
      return answer;
    },
    close: () => idle.forEach(({ connection }) => connection.close()),
  };
}

interface Read {
  readonly answer: HttpAnswer;
  readonly isLast: boolean;
}

function readAnswer(socket: Socket): Promise<Read> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const reader = new AnswerReader((bytes) => pieces.push(bytes));
    const settle = (): void => void socket.off('data', onData).off('close', onClose);
    const onData = (chunk: Buffer): void => {
      if (!reader.take(chunk) || reader.head === null) return;
      settle();
      const { status, text } = reader.head;
      const body = Buffer.concat(pieces).toString('utf8');
      resolve({ answer: { status, body }, isLast: /\r\nconnection: close/i.test(text) });
    };
    const onClose = (): void => {
      settle();
      reject(new Error('the server ended the connection without an answer'));
    };
    socket.on('data', onData).on('close', onClose);
  });
}
