/** The data plane as its bytes: what no well-behaved client would send. */
import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { encodeFrame } from '../../src/s2/frames.ts';
import { type AppendInputMessage, appendAckType, appendInputType } from '../../src/s2/messages.ts';
import type { TestServer } from '../harness/server.ts';

export interface Credential {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type RecordOptions = Partial<Pick<AppendInputMessage, 'matchSeqNum' | 'fencingToken'>>;

/** @param stream path below the session */
export async function credentialOf(
  server: Pick<TestServer, 'api'>,
  externalId: string,
  { stream = 'out', key }: { stream?: string; key?: string } = {},
): Promise<Credential> {
  const path = `/realtime/v1/sessions/${encodeURIComponent(externalId)}/${stream}`;
  const { status, headers, body } = await server.api.call(path, {
    method: 'PUT',
    ...(key === undefined ? {} : { key }),
  });
  if (status !== 202) throw new Error(`PUT answered ${status}: ${body}`);
  const header = (name: string): string => headers.get(`x-s2-${name}`) ?? '';
  const endpoint = new URL(header('endpoint'));
  return {
    origin: endpoint.origin,
    path: `${endpoint.pathname}/streams/${encodeURIComponent(header('stream-name'))}/records`,
    headers: { authorization: `Bearer ${header('access-token')}`, 's2-basin': header('basin') },
  };
}

/** Text records, or whole ones. */
export function inputOf(records: readonly (string | AppendInputMessage['records'][0])[], options: RecordOptions = {}) {
  const whole = records.map((record) =>
    typeof record === 'string' ? { headers: [], body: Buffer.from(record) } : record,
  );
  return Buffer.from(appendInputType.toBinary({ records: whole, ...options }));
}

export const envelope = (data: unknown, id: string): string => JSON.stringify({ data, id });

export interface Range {
  readonly first: number;
  readonly end: number;
  readonly tail: number;
}

export interface Failed {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export interface AppendSession {
  readonly http2: ClientHttp2Session;
  /** As a frame, unless it is one. */
  send(input: Buffer): void;
  sendBytes(bytes: Buffer): void;
  /** The next frame of the server; null after the end. */
  next(): Promise<Range | Failed | null>;
  end(): void;
  close(): void;
}

/** Resolves once the server has answered its head. */
export async function openSession(credential: Credential): Promise<AppendSession> {
  const http2 = connect(credential.origin);
  http2.on('error', () => undefined);
  const stream = http2.request({
    ':method': 'POST',
    ':path': credential.path,
    'content-type': 's2s/proto',
    accept: 'application/protobuf',
    ...credential.headers,
  });
  stream.on('error', () => undefined);
  const frames = framesIn(stream);
  const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
  if (head[':status'] !== 200) throw new Error(`the session was answered ${String(head[':status'])}`);
  return {
    http2,
    send: (input) => void stream.write(encodeFrame(input)),
    sendBytes: (bytes) => void stream.write(bytes),
    next: async () => (await frames.next()).value ?? null,
    end: () => void stream.end(),
    close: () => http2.destroy(),
  };
}

async function* framesIn(stream: AsyncIterable<Buffer>): AsyncGenerator<Range | Failed, undefined> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 3 + rest.readUIntBE(0, 3)) {
      const end = 3 + rest.readUIntBE(0, 3);
      const [flag, payload] = [rest.readUInt8(3), rest.subarray(4, end)];
      rest = rest.subarray(end);
      yield flag === 0x80 ? failedIn(payload) : rangeIn(payload);
    }
  }
  return undefined;
}

const failedIn = (payload: Buffer): Failed => ({
  status: payload.readUInt16BE(0),
  body: JSON.parse(payload.subarray(2).toString()) as Record<string, unknown>,
});

function rangeIn(payload: Uint8Array): Range {
  const { start, end, tail } = appendAckType.fromBinary(payload);
  return { first: Number(start?.seqNum), end: Number(end?.seqNum), tail: Number(tail?.seqNum) };
}

/** One append in one request of HTTP/1.1, as protobuf. */
export async function appendOnce(credential: Credential, input: Buffer): Promise<Range | Failed> {
  const response = await fetch(credential.origin + credential.path, {
    method: 'POST',
    headers: { ...credential.headers, 'content-type': 'application/protobuf' },
    body: new Uint8Array(input),
  });
  if (response.status === 200) return rangeIn(new Uint8Array(await response.arrayBuffer()));
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** The same as JSON. */
export async function appendJson(credential: Credential, input: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(credential.origin + credential.path, {
    method: 'POST',
    headers: { ...credential.headers, 'content-type': 'application/json', ...headers },
    body: typeof input === 'string' ? input : JSON.stringify(input),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
