/** Stands between the client and the server: tells what was asked of whom, and loses an answer as a network does. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
  /** Of the server's answer, also when the client never got it. */
  readonly status: number;
}

export interface WitnessProxy {
  readonly url: string;
  /** Answered requests whose path or body holds the text, in the order of their answers. */
  seen(text: string): SeenRequest[];
  /** The next answer to a request that holds the text is thrown away and its connection cut. */
  loseAnswerTo(text: string): void;
  close(): Promise<void>;
}

export async function startWitnessProxy(targetUrl: string): Promise<WitnessProxy> {
  const answered: SeenRequest[] = [];
  const toLose = new Set<string>();
  const holds = (request: Pick<SeenRequest, 'path' | 'body'>, text: string) =>
    request.path.includes(text) || request.body.includes(text);
  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const request = await readRequest(incoming);
    const answer = await fetch(`${targetUrl}${request.path}`, {
      method: request.method,
      headers: request.headers,
      ...(request.body === '' ? {} : { body: request.body }),
    });
    const text = await answer.text();
    answered.push({ ...request, status: answer.status });
    const lost = [...toLose].find((each) => holds(request, each));
    if (lost === undefined) {
      outgoing.writeHead(answer.status, Object.fromEntries(endToEnd(answer.headers))).end(text);
      return;
    }
    toLose.delete(lost);
    outgoing.destroy();
  };
  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: (text) => answered.filter((request) => holds(request, text)),
    loseAnswerTo: (text) => void toLose.add(text),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readRequest(incoming: IncomingMessage): Promise<Omit<SeenRequest, 'status'>> {
  const { method = 'GET', url: path = '/' } = incoming;
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(incoming.headersDistinct)) {
    for (const value of values) headers.append(name, value);
  }
  return { method, path, headers: endToEnd(headers), body: (await buffer(incoming)).toString() };
}

/** What belongs to one connection alone, and the length, which is counted anew. */
const hopByHop = ['host', 'connection', 'keep-alive', 'content-length', 'transfer-encoding'];

function endToEnd(headers: Headers): Headers {
  const kept = new Headers(headers);
  for (const name of hopByHop) kept.delete(name);
  return kept;
}
