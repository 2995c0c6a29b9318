import { z } from 'zod';
import type { NumberedAttempt } from '../../domain/attempt.ts';
import type { SessionId } from '../../domain/ids.ts';
import { mayWriteSession } from '../../domain/scope.ts';
import type { SnapshotGrant } from '../../tokens/snapshot-url.ts';
import { sessionToChange, sessionToRead } from '../addressed-session.ts';
import type { HttpParts, SnapshotParts } from '../http-parts.ts';
import { callerOf, type Exchange, type Route } from '../route.ts';

const common = {
  path: '/api/v1/sessions/:session/snapshot-url',
  crossOrigin: true,
  credential: 'secret or public',
  faultBody: { error: 'Failed to generate presigned URL: the server has failed' },
} as const;

const signedUrl = z
  .object({ presignedUrl: z.string().meta({ description: 'For a while; it needs no other credential.' }) })
  .meta({ id: 'SnapshotUrlResponseBody' });

/** Where a session's agent leaves its snapshot, and where its next run finds it (protocol section 4). */
export const snapshotUrlRoutes = ({
  useCases,
  snapshots,
}: Pick<HttpParts, 'useCases' | 'snapshots'>): readonly Route[] => [
  {
    ...common,
    method: 'GET',
    operation: {
      id: 'snapshot_url_to_read',
      tag: 'sessions',
      summary: 'URL to read the session’s snapshot from',
      answers: { 200: { description: 'The URL; it answers 404 where there is no snapshot yet.', schema: signedUrl } },
      refusals: ['not_found'],
    },
    async answer(exchange) {
      const session = await sessionToRead(exchange, useCases);
      answerUrl(exchange, snapshots, { method: 'GET', sessionId: session.id, writer: null });
    },
  },
  {
    ...common,
    method: 'PUT',
    operation: {
      id: 'snapshot_url_to_store',
      tag: 'sessions',
      summary: 'URL to store the session’s snapshot at',
      answers: { 200: { description: 'The URL; PUT the snapshot there.', schema: signedUrl } },
      refusals: ['resource_not_found'],
    },
    async answer(exchange) {
      const session = await sessionToChange(exchange, {
        useCases,
        checks: mayWriteSession,
        missing: 'resource_not_found',
      });
      const writer = writerFor(exchange, session.id);
      answerUrl(exchange, snapshots, { method: 'PUT', sessionId: session.id, writer });
    },
  },
];

/** V14: an attempt's upload counts while that attempt serves the session, whenever it arrives. */
function writerFor(exchange: Exchange, sessionId: SessionId): NumberedAttempt | null {
  const { attempt } = callerOf(exchange);
  return attempt?.sessionId === sessionId ? attempt : null;
}

function answerUrl(exchange: Exchange, { urls, publicUrl }: SnapshotParts, grant: SnapshotGrant): void {
  // It opens the snapshot by itself: no cache may keep it.
  exchange.set('Cache-Control', 'no-store');
  exchange.body = { presignedUrl: publicUrl() + urls.sign(grant) };
}
