/**
 * Stands between the client and the server: tells what was asked of whom, loses an answer as a network does, and holds
 * all of it against the API document.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expectDocumented, expectDocumentedRequest } from '../harness/api-document.ts';

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
  /** Fails with what the client sent, or the server answered, and the API document does not declare. */
  close(): Promise<void>;
}

export async function startWitnessProxy(targetUrl: string): Promise<WitnessProxy> {
  const answered: SeenRequest[] = [];
  const undocumented: unknown[] = [];
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
    await expectDocumented(request.method, request.path, answer).catch((problem) => undocumented.push(problem));
    if (answer.ok) await checkRequest(request).catch((problem) => undocumented.push(problem));
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
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      if (undocumented.length > 0) throw new AggregateError(undocumented, undocumented.join('; '));
    },
  };
}

const checkRequest = async ({ method, path, body }: Omit<SeenRequest, 'status'>): Promise<void> =>
  expectDocumentedRequest(method, path, body);

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
