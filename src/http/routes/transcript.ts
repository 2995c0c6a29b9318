import { z } from 'zod';
import { readTranscriptPage, type TranscriptRequest } from '../../domain/transcript.ts';
import { sessionToRead } from '../addressed-session.ts';
import type { HttpParts } from '../http-parts.ts';
import { refuse } from '../refusal.ts';
import type { Exchange, Route } from '../route.ts';
import type { Wire } from '../wire-schemas.ts';

const transcriptQuery = z.object({
  limit: z.int().optional().meta({ description: 'The newest so many messages; none that is positive means all.' }),
  before: z.string().optional().meta({ description: '`nextCursor` of a page: the messages before it.' }),
});

const transcript = z
  .object({
    messages: z.array(z.unknown()),
    cursors: z
      .object({ lastOutEventId: z.string().optional(), lastInEventId: z.string().optional() })
      .optional()
      .meta({ description: 'How far the streams are in the snapshot.' }),
    nextCursor: z.string().optional().meta({ description: 'For `before`; absent where there are no older messages.' }),
  })
  .meta({ id: 'TranscriptResponseBody' });

/** The conversation in the session's snapshot, for servers (protocol section 4). */
export const transcriptRoute = ({ useCases, snapshots }: Pick<HttpParts, 'useCases' | 'snapshots'>): Route => ({
  method: 'GET',
  path: '/api/v1/sessions/:session/transcript',
  crossOrigin: true,
  credential: 'scoped secret',
  operation: {
    id: 'retrieve_transcript',
    tag: 'sessions',
    summary: 'Read the conversation in the session’s snapshot',
    query: transcriptQuery,
    answers: { 200: { description: 'One page, oldest message first.', schema: transcript } },
    refusals: ['invalid_query', 'not_found', 'scope_missing'],
  },
  async answer(exchange) {
    const request = requestOf(exchange);
    const session = await sessionToRead(exchange, useCases);
    const snapshot = await snapshots.store.read(session.id);
    const page: Wire<typeof transcript> =
      snapshot === null ? { messages: [] } : readTranscriptPage(textOf(snapshot.bytes), request);
    exchange.body = page;
  },
});

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** As the SDK pages a transcript itself: a limit that is not positive is none. */
function requestOf({ query }: Exchange): TranscriptRequest {
  const { limit, before } = query;
  if (Array.isArray(limit) || (limit !== undefined && !/^-?\d{1,9}$/.test(limit))) {
    return refuseQuery('limit', 'Expected a whole number, once');
  }
  if (Array.isArray(before)) return refuseQuery('before', 'Expected the id of a message, once');
  return { limit: Number(limit) > 0 ? Number(limit) : null, before: before ?? null };
}

const refuseQuery = (name: string, message: string): never =>
  refuse({ code: 'invalid_query', details: [{ code: 'custom', message, path: [name] }] });
