/** What is kept of transcripts stays within its bytes, and what was read last stays longest. */
import { expect, test } from 'vitest';
import { newSessionId } from '../../src/sessions/new-ids.ts';
import { openTranscriptCache } from '../../src/storage/streams/transcript-cache.ts';

const pageBytes = 10_000;
const page = (last: number) => ({ last, json: Buffer.alloc(pageBytes) });

test('the pages that were read longest ago make room', () => {
  const place = { sessionId: newSessionId(), stream: 'out' } as const;
  const cache = openTranscriptCache(pageBytes * 3 + 1_000);
  for (const from of [0, 1, 2]) cache.keep(place, from, page(from));
  expect(cache.find(place, 0)).toMatchObject({ last: 0 });
  cache.keep(place, 3, page(3));
  const kept = [0, 1, 2, 3].filter((from) => cache.find(place, from) !== null);
  expect(kept).toEqual([0, 2, 3]);
});

test('a page that replaces another takes its room', () => {
  const place = { sessionId: newSessionId(), stream: 'logs/in' } as const;
  const cache = openTranscriptCache(pageBytes * 2 + 1_000);
  cache.keep(place, 0, page(0));
  for (const last of [7, 8, 9]) cache.keep(place, 1, page(last));
  expect(cache.find(place, 0)).toMatchObject({ last: 0 });
  expect(cache.find(place, 1)).toMatchObject({ last: 9 });
});

test('streams and sessions are kept apart, and one page larger than everything is not kept', () => {
  const [one, other] = [newSessionId(), newSessionId()];
  const cache = openTranscriptCache(pageBytes * 3);
  cache.keep({ sessionId: one, stream: 'out' }, 0, page(1));
  expect(cache.find({ sessionId: one, stream: 'in' }, 0)).toBeNull();
  expect(cache.find({ sessionId: other, stream: 'out' }, 0)).toBeNull();
  cache.keep({ sessionId: other, stream: 'out' }, 0, { last: 1, json: Buffer.alloc(pageBytes * 4) });
  expect(cache.find({ sessionId: other, stream: 'out' }, 0)).toBeNull();
});
