/** Records of a session's streams, and those that the server itself writes (protocol sections 5.1, 5.5, 6, 9.4). */
import { judgedBodyLengthMax } from './limits.ts';

export type RecordHeader = readonly [name: string, value: string];

export interface StoredRecord {
  readonly seq: number;
  /** Milliseconds since 1970; never decreases along a stream. */
  readonly atMs: number;
  /** Empty for a data record. */
  readonly headers: readonly RecordHeader[];
  readonly body: string;
}

/** A command steers the store, not readers: it is delivered so that they count it, and has no place in a transcript. */
export const isCommand = ({ headers }: Pick<StoredRecord, 'headers'>): boolean => headers[0]?.[0] === '';

const isControl = ({ headers }: Pick<StoredRecord, 'headers'>): boolean =>
  headers.some(([name]) => name === 'trigger-control');

/** A record on its way into a stream. */
export interface NewRecord {
  readonly headers: readonly RecordHeader[];
  /** Bytes where it is no UTF-8 text, or holds U+0000, which a database's text cannot. */
  readonly body: string | Uint8Array;
  /** The body is what `recordEnvelope` has written, so nobody needs to parse it to know. */
  readonly isEnvelope?: true;
}

export const bodyText = (body: NewRecord['body']): string =>
  typeof body === 'string' ? body : new TextDecoder().decode(body);

/** What a record does to the stream's settled flag: the last one that is no command decides (protocol section 9.5). */
export function settles(record: Pick<StoredRecord, 'headers'>): boolean | null {
  if (isCommand(record)) return null;
  const subtype = controlSubtype(record);
  return subtype === 'turn-complete' || subtype === 'session-closed';
}

/** The one thing that a run may still write once it has handed its session over (lifecycle section 5). */
export const saysHandOver = (record: Pick<StoredRecord, 'headers'>): boolean => {
  const subtype = controlSubtype(record);
  return subtype === 'upgrade-required' || subtype === 'pending-version';
};

const controlSubtype = ({ headers }: Pick<StoredRecord, 'headers'>): string | null =>
  headers.find(([name]) => name === 'trigger-control')?.[1] ?? null;

/** Next seq of `in` that is wanted after a turn: it has answered everything before. Null when the record tells of none. */
export function consumedByTurn(record: Pick<StoredRecord, 'headers'>): number | null {
  if (controlSubtype(record) !== 'turn-complete') return null;
  const seq = record.headers.find(([name]) => name === 'session-in-event-id')?.[1] ?? '';
  return /^\d{1,15}$/.test(seq) ? Number(seq) + 1 : null;
}

/** The first seq that a trim wants kept; null when the record is no trim. */
export function trimPoint({ headers, body }: NewRecord): number | null {
  const [first] = headers;
  if (headers.length !== 1 || first?.[0] !== '' || first[1] !== 'trim') return null;
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  if (bytes.byteLength !== 8) return null;
  const point = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
  return point > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(point);
}

export interface RecordView {
  readonly data: unknown;
  readonly id: string;
  readonly seqNum: number;
  readonly headers?: readonly RecordHeader[];
}

/** As `GET .../records` shows it. What is no envelope shows as empty, as control records do. */
export function recordView(record: StoredRecord): RecordView {
  const { data, id } = isControl(record) ? emptyEnvelope : openEnvelope(record.body);
  const view = { data, id, seqNum: record.seq };
  return record.headers.length === 0 ? view : { ...view, headers: record.headers };
}

/**
 * How `recordView` will show a record: `envelope` as its body stands, with the seq put in before the last brace; `blank`
 * with empty data and id; `hidden` not at all.
 */
export type ShownAs = 'envelope' | 'blank' | 'hidden';

/** Null: every reader has to parse it; so it is for bytes that are no text, and for what is too long to judge here. */
export function shownAs(record: NewRecord): ShownAs | null {
  const { headers, body } = record;
  if (isCommand(record)) return 'hidden';
  if (typeof body !== 'string' || body.length > judgedBodyLengthMax) return null;
  if (isControl({ headers })) return 'blank';
  if (record.isEnvelope === true) return 'envelope';
  const envelope = openEnvelope(body);
  if (envelope === emptyEnvelope) return 'blank';
  return isWrittenAs(envelope, body) ? 'envelope' : null;
}

function isWrittenAs(envelope: Envelope, body: string): boolean {
  try {
    return JSON.stringify(envelope) === body;
  } catch {
    // Parsed, it can be too deep to be written.
    return false;
  }
}

interface Envelope {
  readonly data: unknown;
  readonly id: string;
}

const emptyEnvelope: Envelope = { data: '', id: '' };

function openEnvelope(body: string): Envelope {
  try {
    const { data, id } = JSON.parse(body) as Record<string, unknown>;
    return data !== undefined && typeof id === 'string' ? { data, id } : emptyEnvelope;
  } catch {
    return emptyEnvelope;
  }
}

/** What a record says, as text: the text that was appended, or the JSON of what a writer put into the envelope. */
export function recordText(body: string): string {
  const { data } = openEnvelope(body);
  return typeof data === 'string' ? data : JSON.stringify(data);
}

/** Bytes that a record counts for, by the rule of the stream service that clients expect (protocol sections 5.1, 11.2). */
export const meteredBytes = (bodyBytes: number, headerCount = 0, headerBytes = 0): number =>
  8 + 2 * headerCount + headerBytes + bodyBytes;

export interface WrittenRecord {
  /** JSON; undefined in a record that only steers readers, whose body is empty. */
  readonly data?: unknown;
  readonly id: string;
  readonly headers: readonly RecordHeader[];
}

/** As writers of `out` make it: the envelope holds the value itself, not a text of it. */
export const writtenRecord = ({ data, id, headers }: WrittenRecord): NewRecord => ({
  headers,
  body: data === undefined ? '' : JSON.stringify({ data, id }),
});

/**
 * Part id of an append that came without one and can be told by its content. It begins with a character that no header
 * can carry, so it is never a caller's.
 */
export const contentPartId = (digest: string): string => `\u0001${digest}`;

/** As a regular expression of the database: what callers name, and nothing that content names. */
export const callerPartIdPattern = '^[^\u0001]';

/**
 * Only a server-side ingress may mark a message as coming from a webhook: the mark of anybody else is taken off.
 * Null when the text is nested too deeply to be written out again without it.
 */
export function withoutWebhookMark(text: string): string | null {
  // An escape can spell the name, too.
  if (!text.includes('"actionSource"') && !text.includes('\\u')) return text;
  try {
    const message = JSON.parse(text) as { payload?: { actionSource?: unknown } } | null;
    if (message?.payload?.actionSource !== 'webhook') return text;
    const { actionSource: _mark, ...payload } = message.payload;
    return JSON.stringify({ ...message, payload });
  } catch (error) {
    return error instanceof SyntaxError ? text : null;
  }
}

/** A stored data record: `data` is JSON text inside JSON, clients parse it once more. */
export const recordEnvelope = (text: string, partId: string): string => JSON.stringify({ data: text, id: partId });

/** Tells a live run that its session has ended, so that it leaves its loop. */
export const closeWakeText = (sessionKey: string): string =>
  JSON.stringify({ kind: 'message', payload: { chatId: sessionKey, trigger: 'close' } });

/** Id in that record's envelope. */
export const closeWakeId = 'session-end';

/** Tells the readers of `out` that no run will write again. */
export function sessionClosedHeaders(reason: string | null): readonly RecordHeader[] {
  const closed: RecordHeader = ['trigger-control', 'session-closed'];
  return reason === null ? [closed] : [closed, ['session-closed-reason', reason]];
}
