/** The stream that a path names, and who may read it (protocol sections 2.4 and 5). */
import { sessionIdPrefix } from '../domain/ids.ts';
import { mayReadSession, permits } from '../domain/scope.ts';
import { type Direction, isChannelName, parseDirection, type StreamName, streamName } from '../domain/stream.ts';
import type { NamedStream, Streams } from '../streams/streams.ts';
import { refuse } from './refusal.ts';
import { callerOf, type Exchange, pathPart } from './route.ts';

/** Below each of these there are the same routes. */
export const streamPaths = [
  '/realtime/v1/sessions/:session/:io',
  '/realtime/v1/sessions/:session/channels/:channel/:io',
] as const;

/** Side channels have the same calls under names of their own. */
export const streamOperationId = (id: string, path: (typeof streamPaths)[number]): string =>
  path.includes('/:channel/') ? `${id}_of_named_channel` : id;

interface StreamInPath {
  readonly stream: StreamName;
  readonly direction: Direction;
}

export function streamInPath(exchange: Exchange): StreamInPath {
  const direction = parseDirection(pathPart(exchange, 'io'));
  if (direction === null) return refuseParam('io', 'Invalid option: expected one of "in"|"out"');
  if (exchange.state.route?.path.includes('/:channel/') !== true) return { stream: direction, direction };
  const channel = pathPart(exchange, 'channel');
  if (!isChannelName(channel))
    return refuseParam('channel', 'Expected 1 to 128 of A-Z, a-z, 0-9, dot, underscore, dash');
  return { stream: streamName(channel, direction), direction };
}

const refuseParam = (name: string, message: string): never =>
  refuse({ code: 'invalid_params', details: [{ code: 'custom', message, path: [name] }] });

/** Both forms of the key open both forms of the path. */
export const keysOf = (key: string, session: NamedStream['session']): readonly string[] =>
  session === null ? [key] : [key, session.id, session.externalId ?? session.id];

/**
 * Of a route that reads: what is absent comes before the scope. An external id without a session names an empty
 * stream, because readers may come before the create.
 */
export async function streamToRead(
  exchange: Exchange,
  streams: Pick<Streams, 'locate'>,
): Promise<NamedStream & StreamInPath> {
  const { environment, grant } = callerOf(exchange);
  const named = streamInPath(exchange);
  const key = pathPart(exchange, 'session');
  const session = await streams.locate(environment, key);
  if (session === null && key.startsWith(sessionIdPrefix)) return refuse({ code: 'not_found', retry: false });
  if (session !== null) exchange.state.sessionId = session.id;
  if (!permits(grant, mayReadSession(keysOf(key, session)))) return refuse({ code: 'scope_missing' });
  return { ...named, environment, key, session };
}
