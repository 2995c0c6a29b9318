/** Between the official client and the data plane: lets every append through, and loses every n-th acknowledgement. */
import {
  connect as connectHttp2,
  constants,
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { encodeFrame, encodeTerminalFrame, FrameCutter } from '../../src/s2/frames.ts';

export type Loss = 'the connection breaks' | 'the session fails' | 'the stream is reset';

export interface LossyProxy {
  readonly url: string;
  /** Acknowledgements that were lost so far. */
  readonly lost: () => number;
  /** Where to, and from now on what goes wrong. */
  serve(target: string, loss: Loss | null): void;
  close(): Promise<void>;
}

const everyNth = 7;

export async function startLossyProxy(): Promise<LossyProxy> {
  const sockets = new Map<unknown, Socket>();
  const plan = { target: '', loss: null as Loss | null, acks: 0, lost: 0 };
  const http2 = createHttp2Server();
  const server = createServer((socket) => {
    http2.once('session', (session) => sockets.set(session, socket));
    socket.on('error', () => undefined);
    http2.emit('connection', socket);
  });
  http2.on('sessionError', () => undefined);
  http2.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    forward(stream, headers, plan.target, (frame) => {
      plan.acks += 1;
      if (plan.loss === null || plan.acks % everyNth !== 0) return void stream.write(frame);
      plan.lost += 1;
      lose(stream, plan.loss, sockets.get(stream.session));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lost: () => plan.lost,
    serve: (target, loss) => Object.assign(plan, { target, loss }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets.values()) socket.destroy();
      }),
  };
}

function forward(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  target: string,
  onAck: (frame: Buffer) => void,
): void {
  const upstream = connectHttp2(target);
  upstream.on('error', () => undefined);
  const { ':path': path, authorization, 'content-type': type, 's2-basin': basin } = headers;
  const request = upstream.request({
    ':method': 'POST',
    ':path': path as string,
    'content-type': type as string,
    authorization: authorization as string,
    's2-basin': basin as string,
  });
  request.on('error', () => undefined);
  const cutter = new FrameCutter();
  request.on('response', (answer) => stream.respond({ ':status': answer[':status'], 'content-type': 's2s/proto' }));
  request.on('data', (chunk: Buffer) => {
    for (const ack of cutter.push(chunk)) if (!stream.destroyed) onAck(encodeFrame(ack));
  });
  request.on('end', () => stream.end());
  stream.pipe(request);
  stream.once('close', () => upstream.destroy());
}

function lose(stream: ServerHttp2Stream, loss: Loss, socket: Socket | undefined): void {
  switch (loss) {
    case 'the connection breaks':
      socket?.destroy();
      return;
    case 'the session fails':
      stream.end(encodeTerminalFrame({ status: 503, body: { code: 'unavailable', message: 'lost' } }));
      return;
    case 'the stream is reset':
      stream.close(constants.NGHTTP2_CANCEL);
  }
}
