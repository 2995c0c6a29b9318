import { z } from 'zod';
import { partIdLengthMax, recordTextBytesMax } from '../../domain/limits.ts';
import { mayWriteSession, permits } from '../../domain/scope.ts';
import type { HttpParts } from '../http-parts.ts';
import { keysOf, streamInPath, streamOperationId, streamPaths } from '../named-stream.ts';
import type { Operation } from '../operation.ts';
import { readText } from '../read-json.ts';
import { orRefuse, refuse } from '../refusal.ts';
import { callerOf, type Exchange, pathPart, type Route } from '../route.ts';
import { appended } from '../wire-schemas.ts';

const operation = {
  tag: 'channels',
  summary: 'Append one record',
  description:
    'Stores the text as one record of the channel, and answers when it is durable. On `in`, a session whose run is over gets a new one. The `out` channel takes secret keys only.',
  headers: z.object({
    'X-Part-Id': z.string().max(partIdLengthMax).optional().meta({
      description:
        'Key of this record in its channel: a repeated append with it stores nothing and answers the first `seq`.',
    }),
  }),
  body: { rawBytesMax: recordTextBytesMax, types: ['application/json', 'text/plain'] },
  answers: { 200: { description: 'The record is stored.', schema: appended } },
  refusals: [
    'resource_not_found',
    'append_to_closed',
    'append_to_expired',
    'append_fenced',
    'append_needs_secret_key',
    'record_too_large',
    'record_too_deep',
    'appends_crowded',
  ],
} as const satisfies Omit<Operation, 'id'>;

export const appendRecordRoutes = ({ streams }: Pick<HttpParts, 'streams'>): readonly Route[] =>
  streamPaths.map((path) => ({
    method: 'POST',
    path: `${path}/append`,
    crossOrigin: true,
    credential: 'secret or public',
    operation: { ...operation, id: streamOperationId('append_record', path) },
    faultBody: { ok: false, error: 'Something went wrong, please try again.' },
    async answer(exchange) {
      const { environment, grant, kind, attempt } = callerOf(exchange);
      const { stream, direction } = streamInPath(exchange);
      const key = pathPart(exchange, 'session');
      const partId = partIdOf(exchange);
      const text = await readText(exchange, recordTextBytesMax);
      const session = await streams.locate(environment, key);
      // I8: the scope first, so that a token for another session cannot tell whether this one exists.
      if (!permits(grant, mayWriteSession(keysOf(key, session)))) return refuse({ code: 'scope_missing' });
      if (session === null) return refuse({ code: 'resource_not_found' });
      exchange.state.sessionId = session.id;
      if (direction === 'out' && kind !== 'secret') return refuse({ code: 'append_needs_secret_key' });
      const order = { environment, session, stream, text, partId, attempt };
      const { seq, pendingVersion } = orRefuse(await streams.append(order));
      exchange.body = { ok: true, seq, ...(pendingVersion ? { pendingVersion } : {}) };
    },
  }));

function partIdOf(exchange: Exchange): string | null {
  const partId = exchange.get('X-Part-Id');
  if (partId.length <= partIdLengthMax) return partId === '' ? null : partId;
  const message = `Expected at most ${partIdLengthMax} characters`;
  return refuse({ code: 'invalid_params', details: [{ code: 'too_big', message, path: ['x-part-id'] }] });
}
