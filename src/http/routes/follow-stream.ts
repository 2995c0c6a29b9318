import { tailTimeoutDefaultSeconds, tailTimeoutMaxSeconds } from '../../domain/limits.ts';
import { seqAfter } from '../../domain/stream.ts';
import type { NamedStream, Streams } from '../../streams/streams.ts';
import { openEventStream } from '../event-stream.ts';
import type { HttpParts } from '../http-parts.ts';
import { streamPaths, streamToRead } from '../named-stream.ts';
import { orRefuse, refuse } from '../refusal.ts';
import type { Exchange, Route } from '../route.ts';

/** The router answers HEAD where it answers GET. */
export const followStreamRoutes = ({ streams }: Pick<HttpParts, 'streams'>): readonly Route[] =>
  streamPaths.map((path) => ({
    method: 'GET',
    path,
    crossOrigin: true,
    credential: 'secret or public',
    async answer(exchange) {
      const timeoutMs = timeoutOf(exchange) * 1_000;
      const stream = await streamToRead(exchange, streams);
      if (exchange.method === 'HEAD') return answerHead(exchange, await streams.read(stream, endOfStream));
      const { from, until } = await rangeOf(exchange, streams, stream);
      await follow(exchange, streams, { stream, order: { from, until, timeoutMs } });
    },
  }));

/** A page from here on holds no record, but tells the stream's end. */
const endOfStream = Number.MAX_SAFE_INTEGER;

function answerHead(exchange: Exchange, { next }: { readonly next: number }): void {
  exchange.status = 200;
  exchange.set({ 'X-Last-Chunk-Index': String(next - 1), 'X-Stream-Version': 'v2' });
}

function timeoutOf(exchange: Exchange): number {
  const header = exchange.get('Timeout-Seconds');
  if (header === '') return tailTimeoutDefaultSeconds;
  if (!/^[+-]?\d+$/.test(header)) return refuse({ code: 'invalid_timeout', message: 'Invalid timeout seconds' });
  const seconds = Number(header);
  if (seconds <= 0) return refuse({ code: 'invalid_timeout', message: 'Timeout seconds must be greater than 0' });
  if (seconds <= tailTimeoutMaxSeconds) return seconds;
  return refuse({
    code: 'invalid_timeout',
    message: `Timeout seconds must be less than ${tailTimeoutMaxSeconds}`,
  });
}

interface Range {
  readonly from: number;
  /** Null follows the stream. */
  readonly until: number | null;
}

async function rangeOf(
  exchange: Exchange,
  streams: Pick<Streams, 'read'>,
  stream: Awaited<ReturnType<typeof streamToRead>>,
): Promise<Range> {
  const resumed = seqAfter(exchange.get('Last-Event-ID'));
  const isLatest = resumed === null && exchange.get('X-Trigger-Stream-Start') === 'latest';
  const isPeek = stream.direction === 'out' && exchange.get('X-Peek-Settled') === '1';
  const from = resumed ?? 0;
  if (!isLatest && !isPeek) return { from, until: null };
  // Flag and end of the stream are of one moment; the records before that end cannot change any more.
  const page = await streams.read(stream, endOfStream);
  const start = isLatest ? page.next : from;
  return { from: start, until: isPeek && page.settled ? page.next : null };
}

async function follow(
  exchange: Exchange,
  streams: Pick<Streams, 'openTail'>,
  { stream, order }: { stream: NamedStream; order: Range & { readonly timeoutMs: number } },
): Promise<void> {
  const tail = orRefuse(streams.openTail(stream, order));
  const events = openEventStream(exchange, { isSettled: order.until !== null, onGone: () => tail.end('gone') });
  try {
    events.finish(await tail.follow(events));
  } catch (thrown) {
    // The answer has begun: only a cut tells the client that it did not end in order.
    events.finish('gone');
    throw thrown;
  }
}
