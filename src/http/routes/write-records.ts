import { z } from 'zod';
import {
  partIdLengthMax,
  writeBodyBytesMax,
  writeHeaderLengthMax,
  writeHeadersMax,
  writeRecordsMax,
} from '../../domain/limits.ts';
import { mayWriteSession, permits } from '../../domain/scope.ts';
import type { WriteOrder } from '../../streams/write-records.ts';
import type { HttpParts } from '../http-parts.ts';
import { readBody } from '../json-body.ts';
import { keysOf, streamInPath, streamOperationId, streamPaths } from '../named-stream.ts';
import type { JsonBody, Operation } from '../operation.ts';
import { orRefuse, refuse } from '../refusal.ts';
import { callerOf, pathPart, type Route } from '../route.ts';
import { type Wire, writtenRecords } from '../wire-schemas.ts';

/** No header without a name: those are the stream's own commands. */
const header = z.tuple([z.string().min(1).max(writeHeaderLengthMax), z.string().max(writeHeaderLengthMax)]);

const record = z.object({
  data: z.unknown().optional().meta({ description: 'Absent in a record that only steers readers, by its headers.' }),
  id: z.string().min(1).max(partIdLengthMax).nullable().default(null).meta({
    description: 'Key of this record in its channel: a repeated one stores nothing and answers the first `seq`.',
  }),
  headers: z.array(header).max(writeHeadersMax).default([]),
});

const writeBody: JsonBody<Pick<WriteOrder, 'records'>> = {
  schema: z.object({ records: z.array(record).min(1).max(writeRecordsMax) }).meta({ id: 'WriteRecordsRequestBody' }),
  bytesMax: writeBodyBytesMax,
  refusals: 'plain',
};

const operation = {
  tag: 'channels',
  summary: 'Write records',
  description:
    'Stores records of an `out` channel in their order, in the form in which they are read, and answers when all are durable. After a failure the first ones may be stored: repeat the call with the same ids. Takes secret keys and keys of attempts.',
  body: writeBody,
  answers: { 200: { description: 'The records are stored.', schema: writtenRecords } },
  refusals: [
    'resource_not_found',
    'append_to_closed',
    'append_to_expired',
    'append_fenced',
    'append_needs_secret_key',
    'record_too_large',
    'appends_crowded',
  ],
} as const satisfies Omit<Operation, 'id'>;

/**
 * Ours, not the protocol's: what GET .../records shows of an `out` can be written in the same form, several records in
 * their order, each once for its id. It is how a task writes, in any language.
 */
export const writeRecordsRoutes = ({ streams }: Pick<HttpParts, 'streams'>): readonly Route[] =>
  streamPaths.map((path) => ({
    method: 'POST',
    path: `${path}/records`,
    crossOrigin: true,
    credential: 'secret or public',
    operation: { ...operation, id: streamOperationId('write_records', path) },
    async answer(exchange) {
      const { environment, grant, kind, attempt } = callerOf(exchange);
      const { stream, direction } = streamInPath(exchange);
      if (direction !== 'out') {
        const message = 'Invalid option: expected "out"; a record is appended to "in"';
        return refuse({ code: 'invalid_params', details: [{ code: 'custom', message, path: ['io'] }] });
      }
      const { records } = await readBody(exchange, writeBody);
      const key = pathPart(exchange, 'session');
      const session = await streams.locate(environment, key);
      // I8: as for an append.
      if (!permits(grant, mayWriteSession(keysOf(key, session)))) return refuse({ code: 'scope_missing' });
      if (session === null) return refuse({ code: 'resource_not_found' });
      exchange.state.sessionId = session.id;
      if (kind !== 'secret') return refuse({ code: 'append_needs_secret_key' });
      const { seqs } = orRefuse(await streams.write({ environment, session, stream, attempt, records }));
      exchange.body = { ok: true, seqs: [...seqs] } satisfies Wire<typeof writtenRecords>;
    },
  }));
