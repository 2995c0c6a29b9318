import { z } from 'zod';
import { sessionIdPrefix } from '../../domain/ids.ts';
import { mayWriteSession, permits } from '../../domain/scope.ts';
import type { Session } from '../../domain/session.ts';
import { type StreamTokenOrder, s2Basin, signStreamToken } from '../../tokens/stream-token.ts';
import type { HttpParts } from '../http-parts.ts';
import { keysOf, streamInPath, streamOperationId, streamPaths } from '../named-stream.ts';
import type { Operation } from '../operation.ts';
import { refuse } from '../refusal.ts';
import { type Caller, callerOf, type Exchange, pathPart, type Route } from '../route.ts';
import { writerLingerMs } from '../server-limits.ts';

const operation = {
  tag: 'channels',
  summary: 'Get what a writer needs',
  description:
    'Answers, in headers, the address of the S2 data plane and a token that opens this one channel there. Takes secret keys only.',
  answers: {
    202: {
      description: 'Where to append, and with what.',
      schema: z.object({ version: z.literal('v2') }).meta({ id: 'WriterCredential' }),
      headers: z.object({
        'X-S2-Access-Token': z.string().meta({ description: 'Bearer of the data plane.' }),
        'X-S2-Basin': z.string().meta({ description: 'Value of `s2-basin` there.' }),
        'X-S2-Stream-Name': z.string().meta({ description: 'Name of the channel there.' }),
        'X-S2-Endpoint': z.string().meta({ description: 'Its URL, with its version.' }),
        'X-S2-Flush-Interval-Ms': z.string().meta({ description: 'How long writers gather records.' }),
        'X-S2-Max-Retries': z.string().meta({ description: 'How often writers try again.' }),
      }),
    },
  },
  refusals: ['writer_needs_secret_key', 'writer_session_missing', 'writer_session_closed'],
} as const satisfies Omit<Operation, 'id'>;

/** Writers of a stream ask for what opens it on the S2 data plane (protocol section 5.4). */
export const openWriterRoutes = (parts: Pick<HttpParts, 'useCases' | 'keys' | 's2Url'>): readonly Route[] =>
  streamPaths.map((path) => ({
    method: 'PUT',
    path,
    crossOrigin: true,
    credential: 'secret or public',
    operation: { ...operation, id: streamOperationId('open_writer', path) },
    async answer(exchange) {
      const { token, streamName } = await signStreamToken(parts.keys, await streamToWrite(exchange, parts));
      exchange.status = 202;
      exchange.body = { version: 'v2' };
      exchange.set({
        'X-S2-Access-Token': token,
        'X-S2-Basin': s2Basin,
        'X-S2-Stream-Name': streamName,
        'X-S2-Endpoint': `${parts.s2Url ?? originOf(exchange)}/s2/v1`,
        'X-S2-Flush-Interval-Ms': String(writerLingerMs),
        'X-S2-Max-Retries': '10',
      });
    },
  }));

/** As a reader, a writer may come before the session does, under the external id it will have. */
async function streamToWrite(exchange: Exchange, { useCases }: Pick<HttpParts, 'useCases'>): Promise<StreamTokenOrder> {
  const { environment, grant, kind, attempt, restrictedKeyId: mintedBy } = callerOf(exchange);
  const { stream, direction } = streamInPath(exchange);
  const key = pathPart(exchange, 'session');
  const session = await useCases.retrieveSession({ environmentId: environment.id, key });
  // I8: the scope first, so that a token for another session cannot tell whether this one exists.
  if (!permits(grant, mayWriteSession(keysOf(key, session)))) return refuse({ code: 'scope_missing' });
  if (session === null && key.startsWith(sessionIdPrefix)) return refuse({ code: 'writer_session_missing' });
  if (kind !== 'secret') return refuse({ code: 'writer_needs_secret_key', direction });
  if (session === null) return { environment, key, stream, attempt: null, mintedBy };
  exchange.state.sessionId = session.id;
  if (isShut(session, attempt)) return refuse({ code: 'writer_session_closed' });
  const own = attempt?.sessionId === session.id ? attempt : null;
  return { environment, key: session.id, stream, attempt: own, mintedBy };
}

/** The session's own run finishes its turn after a close: whether it still may is for the fence to say. */
const isShut = (session: Session, attempt: Caller['attempt']): boolean =>
  session.closedAt !== null && attempt?.sessionId !== session.id;

/** The address that reached us, told to nobody but who used it. No forwarded header is believed. */
function originOf(exchange: Exchange): string {
  const host = exchange.get('Host');
  if (/^[\w.-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](:\d{1,5})?$/.test(host)) return `http://${host}`;
  return refuse({
    code: 'invalid_params',
    details: [{ code: 'custom', message: 'Expected a host and a port', path: ['host'] }],
  });
}
