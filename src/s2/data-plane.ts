/**
 * The S2 data plane: appends to streams by writers that hold a stream's token, over HTTP/1.1 and HTTP/2 alike. All of it
 * is `POST /s2/v1/streams/{stream}/records`; the content type tells the three kinds of append apart.
 */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import type { Observe } from '../observe/facts.ts';
import type { Streams } from '../streams/streams.ts';
import type { KeyRing } from '../tokens/key-ring.ts';
import { s2Basin, verifyStreamToken } from '../tokens/stream-token.ts';
import { ackJson, ackMessage } from './ack.ts';
import { append, type Writer } from './append.ts';
import { readJson, readProtobuf } from './append-input.ts';
import { type Request, serveAppendSession } from './append-session.ts';
import { s2AckDeadlineMs, s2SessionsMax } from './limits.ts';
import { readBody } from './read-body.ts';
import { faultRefusal, refusalIn, refuse, S2Error, type S2Refusal } from './refusal.ts';
import type { Response } from './session-wire.ts';
import { sharePort } from './share-port.ts';

export interface DataPlaneParts {
  readonly streams: Pick<Streams, 'locate' | 'appendBatch'>;
  readonly keys: KeyRing;
  readonly observe: Observe;
}

export interface DataPlane {
  /** Whether a request is for it, by its path. */
  owns(url: string | undefined): boolean;
  answer(request: Request, response: Response): Promise<void>;
  /** Takes the connections of a server that speak HTTP/2; they reach nothing but the data plane. */
  share(server: Server): SharedPlane;
}

export interface SharedPlane {
  /** Lets what is under way be acknowledged, refuses the rest, and cuts the connections of HTTP/2 after it. */
  stop(): Promise<void>;
  /** Cuts whatever is left. */
  cut(): void;
}

const prefix = '/s2/';
const route = '/s2/v1/streams/:stream/records';

export function openDataPlane(parts: DataPlaneParts): DataPlane {
  const stopping = new AbortController();
  // As many as there are sessions, which are bounded.
  setMaxListeners(0, stopping.signal);
  const sessions = new Set<Promise<void>>();

  /** @returns the status that it was answered with */
  async function dispatch(exchange: Exchange): Promise<number> {
    const { request, response, refusalFor } = exchange;
    if (stopping.signal.aborted) return refuse('unavailable', 'The server is stopping; try again');
    const writer = await writerOf(parts, request);
    exchange.writer = writer;
    if (contentType(request) !== 's2s/proto') return appendOnce(writer, request, response);
    if (sessions.size >= s2SessionsMax) return refuse('unavailable', 'Too many append sessions are open; try again');
    const session = serveAppendSession({ writer, request, response, stopping: stopping.signal, refusalFor });
    sessions.add(session);
    await session.finally(() => sessions.delete(session));
    return 200;
  }

  async function answer(request: Request, response: Response): Promise<void> {
    const exchange = openExchange(parts.observe, request, response);
    try {
      exchange.status = await dispatch(exchange);
    } catch (thrown) {
      const refused = exchange.refusalFor(thrown);
      exchange.status = refused.status;
      sendJson(response, refused.status, refused.body);
    }
  }

  return {
    owns: (url) => url?.startsWith(prefix) === true,
    answer,
    share(server) {
      const port = sharePort(server, (request, response) => void answer(request, response));
      return {
        async stop() {
          stopping.abort();
          await Promise.allSettled(sessions);
          port.cut();
        },
        cut() {
          port.cut();
          port.cutSilent();
        },
      };
    },
  };
}

/** One request, and what its log line is made from. */
interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly refusalFor: (thrown: unknown) => S2Refusal;
  status: number;
  writer: Writer | null;
}

function openExchange(observe: Observe, request: Request, response: Response): Exchange {
  const requestId = randomUUID();
  const startedAtMs = performance.now();
  const exchange: Exchange = {
    request,
    response,
    status: 0,
    writer: null,
    refusalFor(thrown) {
      const refused = refusalIn(thrown);
      if (refused === null) observe({ kind: 'request_failed', requestId, route, error: thrown });
      else if (!(thrown instanceof S2Error)) observe({ kind: 'part_unavailable', requestId, route, error: thrown });
      return refused ?? faultRefusal;
    },
  };
  response.once('close', () => {
    const opened = exchange.writer?.opened;
    observe({
      kind: 'request_answered',
      requestId,
      method: request.method ?? '',
      route,
      status: exchange.status || response.statusCode,
      durationMs: performance.now() - startedAtMs,
      environment: opened?.environment.name,
      sessionId: exchange.writer?.session.id,
      runId: opened?.attempt?.runId,
      aborted: !response.writableFinished,
    });
  });
  return exchange;
}

/** Throws `S2Error` unless the request names a stream and shows the token that opens it. */
async function writerOf({ keys, streams }: DataPlaneParts, request: Request): Promise<Writer> {
  const streamName = streamIn(request);
  const token = /^bearer +([\x21-\x7e]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  const opened = token === undefined ? null : await verifyStreamToken(keys, { token, streamName });
  const basin = request.headers['s2-basin'];
  if (opened === null || (basin !== undefined && basin !== s2Basin)) {
    return refuse('permission_denied', 'The token does not open this stream');
  }
  const session = await streams.locate(opened.environment, opened.key);
  if (session === null) return refuse('stream_not_found', 'The session does not exist');
  return { opened, session, streams };
}

function streamIn({ method, url }: Request): string {
  const [path = ''] = (url ?? '').split('?');
  const name = /^\/s2\/v1\/streams\/([^/]+)\/records$/.exec(path)?.[1];
  if (name === undefined || method !== 'POST') {
    throw new S2Error({ status: 404, body: { code: 'not_found', message: 'There are only appends here' } });
  }
  try {
    return decodeURIComponent(name);
  } catch {
    return refuse('invalid', 'The name of the stream is not percent-encoded UTF-8');
  }
}

const contentType = ({ headers }: Request): string => (headers['content-type'] ?? '').split(';', 1)[0]?.trim() ?? '';

/** The other two kinds: one append in one request, as text or as protobuf. */
async function appendOnce(writer: Writer, request: Request, response: Response): Promise<number> {
  if (request.headers['content-encoding'] !== undefined) return refuse('bad_header', 'Bodies are not compressed');
  const isProtobuf = ['application/protobuf', 'application/x-protobuf'].includes(contentType(request));
  const body = await readBody(request);
  const input = isProtobuf ? readProtobuf(body) : readJson(body.toString('utf8'), formatOf(request));
  // Two control records may be equal and both be meant, so nothing here counts as a repetition.
  const range = await append(writer, { ...input, partId: null, withinMs: s2AckDeadlineMs });
  if (isProtobuf) send(response, { status: 200, type: 'application/protobuf', body: Buffer.from(ackMessage(range)) });
  else sendJson(response, 200, ackJson(range));
  return 200;
}

function formatOf({ headers }: Request): 'raw' | 'base64' {
  const format = headers['s2-format'] ?? 'raw';
  return format === 'raw' || format === 'base64' ? format : refuse('bad_header', 's2-format is raw or base64');
}

/** In one piece: clients parse the body of a refusal chunk by chunk. */
function sendJson(response: Response, status: number, body: unknown): void {
  send(response, { status, type: 'application/json', body: Buffer.from(JSON.stringify(body)) });
}

function send(response: Response, answer: { status: number; type: string; body: Buffer }): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = answer.status;
  response.setHeader('content-type', answer.type);
  response.setHeader('content-length', answer.body.length);
  (response as ServerResponse).end(answer.body);
}
