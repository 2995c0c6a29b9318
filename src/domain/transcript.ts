/**
 * Pages of a conversation, read out of the snapshot that the SDK's agent saves after each turn. The text is the
 * SDK's own (4.8.3, `sessionStreams/chatSnapshot`): lines with a header first and an index last, or one JSON object
 * of version 1 or 2 from older releases. What is no snapshot is an empty transcript, as it is to the SDK.
 */
import { jsonDepthMax } from './limits.ts';
import type { JsonObject, JsonValue } from './trigger-config.ts';

export interface TranscriptRequest {
  /** Null: all messages. */
  readonly limit: number | null;
  /** Id of a message: only those before it. Null: up to the newest. */
  readonly before: string | null;
}

export interface TranscriptPage {
  /** Newest last. */
  readonly messages: readonly JsonValue[];
  readonly cursors?: { readonly lastOutEventId?: string; readonly lastInEventId?: string };
  /** Id to ask for the page before this one; absent when there is none. */
  readonly nextCursor?: string;
}

interface Entry {
  readonly id: string;
  readonly message: JsonObject;
}

interface Transcript {
  readonly head: JsonObject;
  /** Newest first, one at a time: a page near the end costs what it holds and not the whole text. */
  readonly newestFirst: Iterable<Entry>;
}

export function readTranscriptPage(snapshot: string, request: TranscriptRequest): TranscriptPage {
  const transcript = snapshot.startsWith('{"v":2') ? linesOf(snapshot) : wholeOf(snapshot);
  if (transcript === null) return { messages: [] };
  const cursors = {
    ...textIn(transcript.head, 'lastOutEventId'),
    ...textIn(transcript.head, 'lastInEventId'),
  };
  return {
    ...pageOf(transcript.newestFirst, request),
    ...(Object.keys(cursors).length === 0 ? {} : { cursors }),
  };
}

/** A message that the transcript does not hold has nothing before it. */
function pageOf(
  newestFirst: Iterable<Entry>,
  { limit, before }: TranscriptRequest,
): Pick<TranscriptPage, 'messages' | 'nextCursor'> {
  const page: Entry[] = [];
  let isBefore = before === null;
  for (const entry of newestFirst) {
    if (isBefore && page.length === limit) return { ...messagesOf(page), nextCursor: page.at(-1)?.id ?? '' };
    if (isBefore) page.push(entry);
    else isBefore = entry.id === before;
  }
  return messagesOf(page);
}

const messagesOf = (newestFirst: readonly Entry[]) => ({
  messages: newestFirst.map(({ message }) => message).reverse(),
});

const textIn = (head: JsonObject, name: string): Record<string, string> => {
  const value = head[name];
  return typeof value === 'string' ? { [name]: value } : {};
};

/** Index and trailer are no entries, so that they fall out by themselves. */
function linesOf(text: string): Transcript | null {
  const headEnd = text.indexOf('\n');
  const head = headEnd < 0 ? null : objectIn(parse(text.slice(0, headEnd)));
  return head === null ? null : { head, newestFirst: linesFromEnd(text, headEnd) };
}

function* linesFromEnd(text: string, headEnd: number): Generator<Entry> {
  for (let end = text.length; end > headEnd; ) {
    const start = text.lastIndexOf('\n', end - 1);
    const entry = entryIn(parse(text.slice(start + 1, end)));
    if (entry !== null) yield entry;
    end = start;
  }
}

/** The SDK's schemas, both strict about the whole and lenient about single messages. */
function wholeOf(text: string): Transcript | null {
  const head = objectIn(parse(text));
  const messages = head?.['messages'];
  if (head === null || !Array.isArray(messages) || !hasPlainHead(head)) return null;
  if (head['version'] === 1) {
    return { head, newestFirst: entriesOf(messages, (message) => entryOf(objectIn(message)?.['id'], message)) };
  }
  const isSecond = head['version'] === 2 && 'state' in head && messages.every(isEnvelope);
  return isSecond ? { head, newestFirst: entriesOf(messages, entryIn) } : null;
}

const hasPlainHead = (head: JsonObject): boolean =>
  isAbsentOr(head['savedAt'], 'number') &&
  isAbsentOr(head['lastOutEventId'], 'string') &&
  isAbsentOr(head['lastInEventId'], 'string');

const isAbsentOr = (value: JsonValue | undefined, type: 'number' | 'string'): boolean =>
  value === undefined || typeof value === type;

function isEnvelope(value: JsonValue): boolean {
  const envelope = objectIn(value);
  return typeof envelope?.['id'] === 'string' && typeof envelope['final'] === 'boolean';
}

function* entriesOf(values: readonly JsonValue[], read: (value: JsonValue) => Entry | null): Generator<Entry> {
  for (let index = values.length - 1; index >= 0; index -= 1) {
    const entry = read(values[index] ?? null);
    if (entry !== null) yield entry;
  }
}

function entryIn(value: JsonValue): Entry | null {
  const envelope = objectIn(value);
  const entry = entryOf(envelope?.['id'], envelope?.['message'] ?? null);
  return entry !== null && entry.message['id'] === entry.id ? entry : null;
}

function entryOf(id: JsonValue | undefined, value: JsonValue): Entry | null {
  const message = objectIn(value);
  if (typeof id !== 'string' || id === '' || message === null) return null;
  return isDeeperThan(message, jsonDepthMax) ? null : { id, message };
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
}

const objectIn = (value: JsonValue | undefined): JsonObject | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;

/** Parsing does not recurse, writing the answer would. */
function isDeeperThan(value: JsonValue, depthMax: number): boolean {
  let level: JsonValue[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > depthMax) return true;
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
  }
  return false;
}
