/**
 * One kept-alive connection and the least of HTTP/1.1 that our own server's answers need. Node's client takes half a
 * millisecond of processor time for a call, which on a small machine would be measured as if the server took it.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

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

export async function openConnection({ hostname, port }: URL): Promise<HttpConnection> {
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  // A failure shows in the call under way, which then has no answer.
  socket.on('error', () => {});
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

interface Read {
  readonly answer: HttpAnswer;
  readonly isLast: boolean;
}

function readAnswer(socket: Socket): Promise<Read> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const settle = (): void => void socket.off('data', onData).off('close', onClose);
    const onData = (chunk: Buffer): void => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const read = parseAnswer(received);
      if (read === null) return;
      settle();
      resolve(read);
    };
    const onClose = (): void => {
      settle();
      reject(new Error('the server ended the connection without an answer'));
    };
    socket.on('data', onData).on('close', onClose);
  });
}

/** Null while it is not complete. */
function parseAnswer(received: Buffer): Read | null {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const head = received.toString('latin1', 0, headEnd);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without a length: ${head}`);
  const bodyEnd = headEnd + 4 + Number(length);
  if (received.length < bodyEnd) return null;
  const answer = { status: Number(head.slice(9, 12)), body: received.toString('utf8', headEnd + 4, bodyEnd) };
  return { answer, isLast: /\r\nconnection: close/i.test(head) };
}
