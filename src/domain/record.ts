/** Records of a session's streams, and those that the server itself writes (protocol sections 5.1, 5.5, 6, 9.4). */
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

/** Bytes that a data record counts for, by the rule of the stream service that clients expect (protocol section 5.1). */
export const meteredBytes = (bodyBytes: number): number => 8 + bodyBytes;

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
