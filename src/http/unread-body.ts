/**
 * Answers that leave before the request's body has arrived. Closing at once would reset the connection
 * under a client that still writes, and it would never see the answer; reading on would let it upload for
 * ever. So the answer leaves whole, the rest is thrown away for a bounded while, then the connection ends.
 */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { Middleware } from 'koa';
import type { RequestState } from './route.ts';
import { unreadBytesMax, unreadDeadlineMs } from './server-limits.ts';

export const finishUnread: Middleware<RequestState> = async (exchange, next) => {
  await next();
  if (!isUnread(exchange.req)) return;
  exchange.set('Connection', 'close');
  const text = typeof exchange.body === 'string' ? exchange.body : JSON.stringify(exchange.body);
  const { type } = exchange.response;
  exchange.body = Readable.from(textThenRest(text, exchange.req), { objectMode: false });
  exchange.type = type;
  // The client has the whole answer when it has counted these bytes; the stream ends later.
  exchange.length = Buffer.byteLength(text);
};

function isUnread(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return !request.complete && (encoding !== undefined || Number(length ?? 0) > 0);
}

async function* textThenRest(text: string, request: IncomingMessage): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
  await discardRest(request);
}

function discardRest(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const settle = (): void => {
      clearTimeout(deadline);
      request.off('data', onData).pause();
      resolve();
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > unreadBytesMax) settle();
    };
    const deadline = setTimeout(settle, unreadDeadlineMs);
    request.on('error', settle).once('end', settle).once('close', settle).on('data', onData);
    request.resume();
  });
}
