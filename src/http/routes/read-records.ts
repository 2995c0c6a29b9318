import { Readable } from 'node:stream';
import { z } from 'zod';
import type { TranscriptPage } from '../../sessions/ports.ts';
import type { NamedStream, Streams } from '../../streams/streams.ts';
import type { HttpParts } from '../http-parts.ts';
import { streamOperationId, streamPaths, streamToRead } from '../named-stream.ts';
import { refuse } from '../refusal.ts';
import type { Exchange, Route } from '../route.ts';
import { channelRecords } from '../wire-schemas.ts';

export const readRecordsRoutes = ({ streams }: Pick<HttpParts, 'streams'>): readonly Route[] =>
  streamPaths.map((path) => ({
    method: 'GET',
    path: `${path}/records`,
    crossOrigin: true,
    credential: 'secret or public',
    operation: {
      id: streamOperationId('read_records', path),
      tag: 'channels',
      summary: 'Read what a channel holds now',
      description: 'Everything from after `afterEventId` to the end, never paged. Command records are left out.',
      query: z.object({
        afterEventId: z
          .string()
          .regex(/^\d+$/)
          .optional()
          .meta({ description: 'A `seqNum`; records after it are read.' }),
      }),
      answers: { 200: { description: 'The records, in order.', schema: channelRecords } },
      refusals: ['invalid_query', 'not_found'],
    },
    async answer(exchange) {
      const from = firstSeqOf(exchange);
      const stream = await streamToRead(exchange, streams);
      const first = await streams.readTranscript(stream, { from, before: null });
      exchange.body = Readable.from(recordsJson(streams, stream, first), { objectMode: false });
      exchange.type = 'application/json';
    },
  }));

function firstSeqOf({ query }: Exchange): number {
  const after = query['afterEventId'];
  if (after === undefined) return 0;
  if (typeof after === 'string' && /^\d+$/.test(after)) {
    return Math.min(Number(after), Number.MAX_SAFE_INTEGER - 1) + 1;
  }
  const message = 'Expected digits, once';
  return refuse({ code: 'invalid_query', details: [{ code: 'custom', message, path: ['afterEventId'] }] });
}

/**
 * Everything up to the end that the first page saw: a run takes the answer for complete. The database puts the next page
 * together while this one is written.
 */
async function* recordsJson(streams: Pick<Streams, 'readTranscript'>, stream: NamedStream, first: TranscriptPage) {
  let isFirst = true;
  yield '{"records":[';
  for (let page = first; ; ) {
    const from = page.last === null ? first.next : page.last + 1;
    const following = from < first.next ? streams.readTranscript(stream, { from, before: first.next }) : null;
    // It is awaited below, but for a reader that leaves before.
    following?.catch(() => {});
    if (page.json.length > 0) {
      if (!isFirst) yield ',';
      yield page.json;
      isFirst = false;
    }
    if (following === null) break;
    page = await following;
  }
  yield ']}';
}
