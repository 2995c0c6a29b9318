/**
 * The API without engines behind it: real app, keys and sockets; no request of these tests may get as far
 * as a use case, and one that does fails loudly.
 */
import { connect, type Socket } from 'node:net';
import { httpApp } from '../../src/http/app.ts';
import { type HttpParts, noRateLimits, type SnapshotParts } from '../../src/http/http-parts.ts';
import { listen } from '../../src/http/listen.ts';
import type { UsedTokens } from '../../src/http/use-once.ts';
import type { Fact } from '../../src/observe/facts.ts';
import type { Streams } from '../../src/streams/streams.ts';
import type { Waitpoints } from '../../src/streams/waitpoints.ts';
import { importRootKey, signPublicToken } from '../../src/tokens/sign.ts';
import { snapshotUrls } from '../../src/tokens/snapshot-url.ts';
import { expectDocumented } from '../harness/api-document.ts';
import { environmentOf, ringOf } from '../tokens/stored-keys.ts';

export const secretKey = 'tr_dev_0123456789abcdef';
const faultText = 'this request went further than it may';

export interface Edge {
  readonly url: string;
  readonly port: number;
  readonly facts: Fact[];
  fetch(path: string, init?: RequestInit & { key?: string | null }): Promise<Response>;
  close(): Promise<void>;
  closeGently(graceMs: number): Promise<void>;
}

const unreachable = () => Promise.reject(new Error(faultText));

export const refusingUseCases = {
  createSession: unreachable,
  retrieveSession: unreachable,
  listSessions: unreachable,
  closeSession: unreachable,
  updateSession: unreachable,
  endAndContinue: unreachable,
  retrieveRun: unreachable,
  cancelRun: unreachable,
  claimRun: unreachable,
  commitCursor: unreachable,
};

const refusingTokens: UsedTokens = { take: unreachable, giveBack: unreachable };

/** Everything about streams begins with the session. */
export const refusingStreams: Streams = {
  locate: unreachable,
  append: unreachable,
  appendBatch: unreachable,
  write: unreachable,
  read: unreachable,
  readTranscript: unreachable,
  openTail: () => {
    throw new Error(faultText);
  },
  usage: () => ({ tails: 0, watched: 0 }),
  stop: () => undefined,
};

export const refusingWaitpoints: Waitpoints = {
  register: unreachable,
  hold: unreachable,
  waiterCount: () => 0,
  stop: async () => undefined,
};

export const refusingSnapshots: SnapshotParts = {
  store: { write: unreachable, read: unreachable },
  urls: snapshotUrls(['0'.repeat(64)], Date.now),
  publicUrl: () => 'http://api.test',
};

export const refusingParts: HttpParts = {
  useCases: refusingUseCases,
  streams: refusingStreams,
  waitpoints: refusingWaitpoints,
  keys: ringOf(secretKey),
  snapshots: refusingSnapshots,
  rateLimits: noRateLimits,
  usedTokens: refusingTokens,
  s2Url: null,
  probes: {},
  observe: () => undefined,
};

export async function startEdge(parts: Partial<HttpParts> = {}): Promise<Edge> {
  const facts: Fact[] = [];
  const app = httpApp({ ...refusingParts, observe: (fact) => void facts.push(fact), ...parts });
  const listener = await listen(app, { host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${listener.port}`;
  return {
    url,
    port: listener.port,
    facts,
    async fetch(path, { key = secretKey, ...init } = {}) {
      const headers = new Headers(init.headers);
      if (key !== null && !headers.has('authorization')) headers.set('authorization', `Bearer ${key}`);
      const response = await fetch(`${url}${path}`, { ...init, headers });
      await expectDocumented(init.method ?? 'GET', path, response);
      return response;
    },
    close: () => listener.close(0),
    closeGently: (graceMs) => listener.close(graceMs),
  };
}

export async function publicToken(...scopes: string[]): Promise<string> {
  const rootKey = await importRootKey(secretKey);
  return signPublicToken({ environment: environmentOf('dev'), rootKey, scopes, ttlSeconds: 60 });
}

/** A socket in the test's hands, for what no well-behaved client sends. */
export interface RawClient {
  readonly socket: Socket;
  send(text: string | Buffer): void;
  /** Everything received so far. */
  received(): string;
  isEnded(): boolean;
}

export async function openRaw(port: number): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  let ended = false;
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('close', () => {
    ended = true;
  });
  // A server that hangs up on a writer is what these tests are about.
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return { socket, send: (chunk) => void socket.write(chunk), received: () => text, isEnded: () => ended };
}

export const headOf = (method: string, path: string, headers: Record<string, string> = {}): string =>
  [
    `${method} ${path} HTTP/1.1`,
    'Host: api.test',
    ...Object.entries({ Authorization: `Bearer ${secretKey}`, ...headers }).map(([name, value]) => `${name}: ${value}`),
    '',
    '',
  ].join('\r\n');
