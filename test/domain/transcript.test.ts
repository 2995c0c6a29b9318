/** Pages of a transcript, beside what the SDK itself reads out of the same text. */
import {
  pageTranscriptEntries,
  parseTranscriptBlob,
  serializeTranscriptSnapshot,
  type TranscriptSnapshotV2,
} from '@trigger.dev/core/v3';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTranscriptPage, type TranscriptRequest } from '../../src/domain/transcript.ts';

const whole: TranscriptRequest = { limit: null, before: null };

/** What the SDK would show of the same text. */
function pageOfSdk(text: string, { limit, before }: TranscriptRequest) {
  const snapshot = parseTranscriptBlob(text);
  if (snapshot === undefined) return { messages: [] };
  const options = { ...(limit === null ? {} : { limit }), ...(before === null ? {} : { before }) };
  const { entries, nextCursor } = pageTranscriptEntries(snapshot.messages, options);
  const { lastOutEventId, lastInEventId } = snapshot;
  const cursors = { lastOutEventId, lastInEventId };
  const hasCursor = lastOutEventId !== undefined || lastInEventId !== undefined;
  return JSON.parse(
    JSON.stringify({ messages: entries.map(({ message }) => message), nextCursor, ...(hasCursor ? { cursors } : {}) }),
  );
}

const messages = fc.uniqueArray(
  fc.record({ id: fc.string({ minLength: 1 }), role: fc.constantFrom('user', 'assistant'), parts: fc.jsonValue() }),
  { selector: ({ id }) => id, maxLength: 12 },
);
const requests = (ids: readonly string[]): fc.Arbitrary<TranscriptRequest> =>
  fc.record({
    limit: fc.option(fc.integer({ min: 1, max: 14 })),
    before: fc.option(fc.constantFrom(...ids, 'nobody said this')),
  });

describe('a transcript', () => {
  const entries = messages.chain((said) =>
    fc.tuple(
      ...said.map((message) =>
        fc.record({ id: fc.constant(message.id), final: fc.boolean(), message: fc.constant(message) }),
      ),
    ),
  );
  const cursor = fc.nat().map(String);
  const snapshots: fc.Arbitrary<TranscriptSnapshotV2> = fc.record(
    {
      version: fc.constant(2 as const),
      savedAt: fc.constant(1),
      messages: entries as fc.Arbitrary<TranscriptSnapshotV2['messages']>,
      state: fc.jsonValue(),
      lastOutEventId: cursor,
      lastInEventId: cursor,
    },
    { requiredKeys: ['version', 'savedAt', 'messages', 'state'] },
  );
  const forms: Record<string, (snapshot: TranscriptSnapshotV2) => string> = {
    'of lines, as SDK 4.8.3 writes it': serializeTranscriptSnapshot,
    'of version 2 in one object': (snapshot) => JSON.stringify(snapshot),
    'of version 1': (snapshot) =>
      JSON.stringify({ ...snapshot, version: 1, messages: snapshot.messages.map(({ message }) => message) }),
  };

  test.each(Object.entries(forms))('%s is paged as the SDK pages it', (_, write) => {
    fc.assert(
      fc.property(
        snapshots.chain((snapshot) => fc.tuple(fc.constant(snapshot), requests(snapshot.messages.map(({ id }) => id)))),
        ([snapshot, request]) => {
          const text = write(snapshot);
          const page = readTranscriptPage(text, request);
          expect(JSON.parse(JSON.stringify(page))).toEqual(pageOfSdk(text, request));
          if (request.limit === null && request.before === null) {
            expect(page.messages).toHaveLength(snapshot.messages.length);
          }
        },
      ),
    );
  });

  test('is read page by page from the newest to the oldest message, each once', () => {
    const said = Array.from({ length: 11 }, (_, index) => ({ id: `m${index}`, role: 'user', parts: [] }));
    const text = serializeTranscriptSnapshot({
      version: 2,
      savedAt: 1,
      messages: said.map((message) => ({ id: message.id, final: true, message })),
      state: null,
      lastOutEventId: '7',
    } as unknown as TranscriptSnapshotV2);
    const seen: unknown[] = [];
    let before: string | null = null;
    for (let pages = 1; pages <= 3; pages += 1) {
      const page = readTranscriptPage(text, { limit: 4, before });
      expect(page.cursors).toEqual({ lastOutEventId: '7' });
      seen.unshift(...page.messages);
      before = page.nextCursor ?? null;
      expect(before === null).toBe(pages === 3);
    }
    expect(seen).toEqual(said);
  });

  test.each([
    ['nothing', ''],
    ['no JSON', 'hello'],
    ['a list', '[]'],
    ['another version', '{"version":3,"messages":[]}'],
    ['a head without an end', '{"v":2,"savedAt":1}'],
    ['a head that is cut', '{"v":2,"sav\n{"id":"a","final":true,"message":{"id":"a"}}\n'],
    ['version 1 without messages', '{"version":1}'],
    ['a cursor that is no text', '{"version":1,"messages":[{"id":"a"}],"lastOutEventId":7}'],
    ['version 2 without state', '{"version":2,"messages":[]}'],
    ['an envelope without a mark', '{"version":2,"state":null,"messages":[{"id":"a","message":{"id":"a"}}]}'],
  ])('of %s is empty, to the SDK too', (_, text) => {
    expect(readTranscriptPage(text, whole)).toEqual({ messages: [] });
    expect(pageOfSdk(text, whole).messages).toEqual([]);
  });

  test.each([
    [
      'cut in the middle of a line',
      '{"v":2,"savedAt":1}\n{"id":"a","final":true,"message":{"id":"a"}}\n{"id":"b","fin',
    ],
    [
      'with lines that are no entries',
      '{"v":2}\n\nx\n{"id":"","message":{}}\n{"id":"a","message":{"id":"b"}}\n[]\nnull\n',
    ],
    [
      'with prototype keys',
      '{"v":2}\n{"id":"__proto__","final":true,"message":{"id":"__proto__","__proto__":{"x":1}}}\n',
    ],
    ['of version 1 with odd messages', '{"version":1,"messages":[null,7,"x",[],{"id":""},{"id":7},{"id":"a"}]}'],
    ['with trailing spaces', '{"v":2}\n{"id":"a","final":true,"message":{"id":"a"}} \n#tt2:0000000000000000\n'],
  ])('%s gives what can be read, as the SDK does', (_, text) => {
    const page = readTranscriptPage(text, whole);
    expect(JSON.parse(JSON.stringify(page))).toEqual(pageOfSdk(text, whole));
  });

  test('a message nested too deeply to be written out again is left out', () => {
    const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    const line = (id: string, levels: number) =>
      `{"id":"${id}","final":true,"message":{"id":"${id}","parts":${deep(levels)}}}\n`;
    const page = readTranscriptPage(`{"v":2}\n${line('a', 3)}${line('b', 100_000)}`, whole);
    expect(page.messages).toMatchObject([{ id: 'a' }]);
  });
});
