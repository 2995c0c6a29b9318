import { createHash } from 'node:crypto';
import { z } from 'zod';
import { tailTimeoutDefaultSeconds, tailTimeoutMaxSeconds } from '../../domain/limits.ts';
import { seqAfter } from '../../domain/stream.ts';
import type { NamedStream, Streams, TailOrder } from '../../streams/streams.ts';
import { openEventStream } from '../event-stream.ts';
import type { HttpParts } from '../http-parts.ts';
import { streamOperationId, streamPaths, streamToRead } from '../named-stream.ts';
import { orRefuse, refuse } from '../refusal.ts';
import { callerOf, type Exchange, type Route } from '../route.ts';

const streamVersion = z.literal('v2').meta({ description: 'The format of the events and records.' });

/** Before the route below: the router answers HEAD where it answers GET. */
export const measureStreamRoutes = ({ streams }: Pick<HttpParts, 'streams'>): readonly Route[] =>
  streamPaths.map((path) => ({
    method: 'HEAD',
    path,
    crossOrigin: true,
    credential: 'secret or public',
    operation: {
      id: streamOperationId('measure_channel', path),
      tag: 'channels',
      summary: 'How far a channel reaches',
      answers: {
        200: {
          description: 'Its last record.',
          headers: z.object({
            'X-Last-Chunk-Index': z
              .int()
              .min(-1)
              .meta({ description: '`seq` of the last record; -1 where there is none.' }),
            'X-Stream-Version': streamVersion,
          }),
        },
      },
      refusals: ['not_found'],
    },
    async answer(exchange) {
      const { next } = await streams.read(await streamToRead(exchange, streams), endOfStream);
      exchange.status = 200;
      exchange.set({ 'X-Last-Chunk-Index': String(next - 1), 'X-Stream-Version': 'v2' });
    },
  }));

const event = z
  .object({
    id: z.string().optional(),
    event: z.string().optional().meta({ description: '`batch`, `ping` or `error`; none before `[DONE]`.' }),
    data: z.string(),
  })
  .meta({ id: 'ChannelEvent', description: 'One event of the stream, as an SSE parser reads it.' });

const followHeaders = z.object({
  'Last-Event-ID': z.string().optional().meta({
    description:
      '`seq_num` of the last record that the client has; the next one follows. Absent: from the first that is kept.',
  }),
  'Timeout-Seconds': z.int().min(1).max(tailTimeoutMaxSeconds).optional().meta({
    description: 'Time without a record after which the answer ends.',
    default: tailTimeoutDefaultSeconds,
  }),
  'X-Trigger-Stream-Start': z.string().optional().meta({
    description: '`latest`, without `Last-Event-ID`: only what comes from now on.',
  }),
  'X-Peek-Settled': z.string().optional().meta({
    description: '`1`, on `out`: when the last turn is complete, answer what there is and end at once.',
  }),
});

const eventsText = `Server-sent events: \`batch\` with records \`{ records: [{ seq_num, timestamp, body, headers? }], tail }\`, \`ping\` every few seconds of silence, and \`data: [DONE]\` before an orderly end. The id of an event is the \`seq_num\` of its last record.`;

export const followStreamRoutes = ({ streams, keys }: Pick<HttpParts, 'streams' | 'keys'>): readonly Route[] =>
  streamPaths.map((path) => ({
    method: 'GET',
    path,
    crossOrigin: true,
    credential: 'secret or public',
    operation: {
      id: streamOperationId('follow_channel', path),
      tag: 'channels',
      summary: 'Follow a channel',
      description: eventsText,
      headers: followHeaders,
      answers: {
        200: {
          description: 'Records as they come.',
          type: 'text/event-stream',
          schema: event,
          headers: z.object({
            'X-Stream-Version': streamVersion,
            'X-Session-Settled': z.literal('true').optional().meta({ description: 'The last turn is complete.' }),
          }),
        },
      },
      refusals: ['invalid_timeout', 'readers_crowded', 'not_found'],
    },
    async answer(exchange) {
      const timeoutMs = timeoutOf(exchange) * 1_000;
      const stream = await streamToRead(exchange, streams);
      const { from, until } = await rangeOf(exchange, streams, stream);
      const readerKey = readerKeyOf(exchange);
      await follow(exchange, { streams, keys }, { stream, order: { from, until, timeoutMs, readerKey } });
    },
  }));

/** A page from here on holds no record, but tells the stream's end. */
const endOfStream = Number.MAX_SAFE_INTEGER;

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

/** A digest, so that no credential is kept for as long as its readers are. */
const readerKeyOf = (exchange: Exchange): string =>
  createHash('sha256').update(exchange.get('Authorization')).digest('base64url');

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
  { streams, keys }: Pick<HttpParts, 'streams' | 'keys'>,
  { stream, order }: { stream: NamedStream; order: TailOrder },
): Promise<void> {
  const tail = orRefuse(streams.openTail(stream, order));
  // Whether the token has expired is asked at the next connect; a revoked key ends what it had opened.
  const unwatch = keys.watch(callerOf(exchange).keyIds, () => tail.end('revoked'));
  const events = openEventStream(exchange, { isSettled: order.until !== null, onGone: () => tail.end('gone') });
  try {
    events.finish(await tail.follow(events));
  } catch (thrown) {
    // The answer has begun: only a cut tells the client that it did not end in order.
    events.finish('gone');
    throw thrown;
  } finally {
    unwatch();
  }
}
