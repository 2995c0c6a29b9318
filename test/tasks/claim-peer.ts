/** A plain listener that speaks the claim route's protocol with the answers a test gives it. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ClaimCall {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

export interface PeerAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `hang` leaves a call unanswered, `break` cuts its connection; a function is told which call it is, from 1. */
type Plan = PeerAnswer | 'hang' | 'break' | ((call: number) => PeerAnswer);

export interface ClaimPeer {
  readonly url: string;
  readonly calls: readonly ClaimCall[];
  /** From now on every call is answered by this. */
  answer(plan: Plan): void;
  close(): Promise<void>;
}

export const granted = (deadlineAt: string | null = null): PeerAnswer => ({
  status: 200,
  body: { sessionId: 'session_1', runNumber: 1, attempt: 1, cursor: 0, deadlineAt, attemptKey: 'k' },
});

export async function startClaimPeer(): Promise<ClaimPeer> {
  const calls: ClaimCall[] = [];
  let planned: Plan = granted();
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = '', url = '', headers } = request;
      calls.push({ method, path: url, authorization: headers.authorization, body: JSON.parse(body) });
      follow(planned, calls.length, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    answer: (given) => {
      planned = given;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function follow(plan: Plan, call: number, response: ServerResponse): void {
  if (plan === 'hang') return;
  if (plan === 'break') {
    response.destroy();
    return;
  }
  const { status, headers, body } = typeof plan === 'function' ? plan(call) : plan;
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body ?? { error: 'no' }));
}
