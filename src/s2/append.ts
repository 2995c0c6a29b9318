/** One append of the data plane: what its token allows, through the one way into a stream, within its time. */
import { inTime } from '../deadline.ts';
import type { NewRecord } from '../domain/record.ts';
import { withoutWebhookMark } from '../domain/record.ts';
import { kindOf } from '../domain/stream.ts';
import type { AppendedRange } from '../streams/append-batch.ts';
import type { LocatedSession } from '../streams/locate-session.ts';
import type { Streams } from '../streams/streams.ts';
import type { OpenedStream } from '../tokens/stream-token.ts';
import { type AppendInput, asksToTrim } from './append-input.ts';
import { refusal, refusalOf, refuse, S2Error } from './refusal.ts';

/** A stream that a token has opened, of a session that exists. */
export interface Writer {
  readonly opened: OpenedStream;
  readonly session: LocatedSession;
  readonly streams: Pick<Streams, 'appendBatch'>;
}

export interface DueAppend extends AppendInput {
  readonly partId: string | null;
  /** Milliseconds in which its client must have its answer. */
  readonly withinMs: number;
}

/** Throws `S2Error`, or what is no refusal. After its time the append may still be stored; a repetition then finds it. */
export async function append({ opened, session, streams }: Writer, due: DueAppend): Promise<AppendedRange> {
  const { environment, stream, attempt, operations } = opened;
  if (asksToTrim(due) && !operations.has('trim')) return refuse('permission_denied', 'This stream is not trimmed');
  const records = kindOf(stream) === 'in' ? due.records.map(unmarked) : due.records;
  const { partId, matchSeq } = due;
  const appending = streams.appendBatch({ environment, session, stream, records, partId, matchSeq, attempt });
  const result = await inTime(appending, due.withinMs, late);
  if (!result.ok) throw new S2Error(refusalOf(result.failure));
  return result.value;
}

const late = () => new S2Error(refusal('upstream_timeout', 'The append was not acknowledged in time'));

/** As an append over HTTP does it: only a server-side ingress may mark a message as coming from a webhook. */
function unmarked(record: NewRecord): NewRecord {
  if (typeof record.body !== 'string' || !/actionSource|\\u/.test(record.body)) return record;
  const envelope = parseEnvelope(record.body);
  if (envelope === null) return record;
  const { data } = envelope;
  const kept = withoutWebhookMark(typeof data === 'string' ? data : JSON.stringify(data));
  if (kept === null) return refuse('invalid', 'A record is nested too deeply');
  return { ...record, body: JSON.stringify({ ...envelope, data: typeof data === 'string' ? kept : JSON.parse(kept) }) };
}

function parseEnvelope(body: string): { readonly data: unknown } | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && 'data' in value ? value : null;
  } catch (error) {
    return error instanceof SyntaxError ? null : refuse('invalid', 'A record is nested too deeply');
  }
}
