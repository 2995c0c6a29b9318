/** What a client appended to a session's `in`, as a task reads it. */
import { closeWakeId } from '../../domain/record.ts';
import type { JsonValue } from '../../domain/trigger-config.ts';
import { parseJson } from '../http-answer.ts';
import type { FollowedRecord } from './follow-stream.ts';

export interface InMessage {
  /** Its place in the stream, from 0: final, and the same for every reader. */
  readonly seq: number;
  /** The part id that its sender gave it, else one that the server made. */
  readonly id: string;
  /** When the server stored it. */
  readonly at: Date;
  /** Exactly what was appended. */
  readonly text: string;
  /** The text as JSON; the text itself when it is none. Written by a client: check it before you use it. */
  readonly data: JsonValue;
}

/** Null for records that steer the store or its readers. */
export function messageOf({ seq, atMs, headers, body }: FollowedRecord): InMessage | null {
  if (headers.some(([name]) => name === '' || name === 'trigger-control')) return null;
  const envelope = parseJson(body);
  const { data, id } = (typeof envelope === 'object' && envelope !== null ? envelope : {}) as Record<string, unknown>;
  // Who writes to `in` in another way than by an append has put the value itself into the envelope.
  const text = typeof data === 'string' ? data : JSON.stringify(data ?? body);
  return {
    seq,
    id: typeof id === 'string' ? id : '',
    at: new Date(atMs),
    text,
    data: (typeof data === 'string' ? (parseJson(data) ?? data) : (data ?? body)) as JsonValue,
  };
}

/** The server's own last word on `in`: the session was closed, or has expired. */
export function endsSession({ id, data }: InMessage): boolean {
  const { payload } = (data ?? {}) as { readonly payload?: { readonly trigger?: unknown } | null };
  return id === closeWakeId && payload?.trigger === 'close';
}
