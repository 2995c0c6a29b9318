/** Which of a session's streams: the main pair `in` and `out`, or one of a named side channel (protocol section 5). */
import type { SessionId } from './ids.ts';

export type Direction = 'in' | 'out';

/** `in`, `out`, or `<channel>/<direction>`: channel names hold no slash, so the forms cannot meet. */
export type StreamName = Direction | `${string}/${Direction}`;

export interface StreamPlace {
  readonly sessionId: SessionId;
  readonly stream: StreamName;
}

export const parseDirection = (text: string): Direction | null => (text === 'in' || text === 'out' ? text : null);

export const isChannelName = (text: string): boolean => /^[A-Za-z0-9._-]{1,128}$/.test(text);

/** @param channel null for the main pair */
export const streamName = (channel: string | null, direction: Direction): StreamName =>
  channel === null ? direction : `${channel}/${direction}`;

export function parseStreamName(text: string): StreamName | null {
  const [first = '', second, ...rest] = text.split('/');
  if (second === undefined) return parseDirection(first);
  const direction = parseDirection(second);
  return direction === null || rest.length > 0 || !isChannelName(first) ? null : streamName(first, direction);
}

export type StreamKind = 'in' | 'out' | 'side';

export const kindOf = (stream: StreamName): StreamKind => (stream === 'in' || stream === 'out' ? stream : 'side');

export const directionOf = (stream: StreamName): Direction => (stream.endsWith('in') ? 'in' : 'out');

/** Where a reader that has seen the record `cursor` goes on; digits before a dash or comma, as older clients send them. */
export function seqAfter(cursor: string): number | null {
  const digits = /^(\d+)(?:[-,]|$)/.exec(cursor.trim())?.[1];
  return digits === undefined ? null : Math.min(Number(digits), Number.MAX_SAFE_INTEGER - 1) + 1;
}
