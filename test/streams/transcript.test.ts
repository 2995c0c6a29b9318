/** Pages that the database puts together say what a reader who parses every record would say. */
import { beforeAll, expect, test } from 'vitest';
import { isCommand, type NewRecord, recordEnvelope, recordView } from '../../src/domain/record.ts';
import { sqlStreamStore } from '../../src/storage/streams/sql-stream-store.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import { type Lifecycle, lifecycleOf, type OpenSession } from '../storage/lifecycle.ts';
import { locatedOf, openStage, rangeOf, type StreamStage } from './stage.ts';

const judged: readonly NewRecord[] = [
  { headers: [], body: recordEnvelope('text "quoted" \\ ü \u{1f600}\n', 'p1') },
  { headers: [], body: '{"data":{"a":[1,null,"\\u0000"]},"id":"x"}' },
  { headers: [['', 'other']], body: Buffer.of(0, 255) },
  {
    headers: [
      ['trigger-control', 'turn-complete'],
      ['ü\u0000"', '\\{}'],
    ],
    body: '',
  },
  { headers: [['x', 'y']], body: '{"data":1,"id":"with a header"}' },
  { headers: [], body: 'no envelope' },
];
const unjudged: readonly NewRecord[] = [
  { headers: [], body: '{ "id": "spaced", "data": 1 }' },
  { headers: [], body: Buffer.of(0, 255) },
];

describeEachDatabase('transcripts', (suite) => {
  let life: Lifecycle;
  let stage: StreamStage;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  const append = (session: OpenSession, records: readonly NewRecord[]) => rangeOf(stage, session, { records });

  /** By pages, and by a reader who parses. */
  async function bothWays({ order }: OpenSession, from = 0) {
    const stream = { session: locatedOf(order), stream: 'out' } as const;
    const pages: string[] = [];
    const parsed: unknown[] = [];
    const first = await stage.streams.readTranscript(stream, { from, before: null });
    for (let page = first; page.last !== null; ) {
      pages.push(page.json.toString());
      page = await stage.streams.readTranscript(stream, { from: page.last + 1, before: first.next });
    }
    for (let page = await stage.streams.read(stream, from); page.records.length > 0; ) {
      parsed.push(...page.records.filter((record) => !isCommand(record)).map(recordView));
      page = await stage.streams.read(stream, (page.records.at(-1)?.seq ?? 0) + 1);
    }
    return { pages, shown: `[${pages.filter((json) => json !== '').join(',')}]`, parsed: JSON.stringify(parsed) };
  }

  test('are the same whether or not their records were judged when they were stored', async () => {
    stage = await openStage(suite.database);
    const session = await life.open();
    await append(session, judged);
    const clean = await bothWays(session);
    expect(clean.shown).toBe(clean.parsed);
    await append(session, unjudged);
    const mixed = await bothWays(session);
    expect(mixed.shown).toBe(mixed.parsed);
    await suite.database.query('UPDATE records SET shown = NULL');
    expect(await bothWays(session)).toEqual(mixed);
    const later = await bothWays(session, 3);
    expect(later.shown).toBe(later.parsed);
  });

  test('hold everything, page by page, up to the end that was asked for', async () => {
    stage = await openStage(suite.database);
    const session = await life.open();
    const many = Array.from(
      { length: 500 },
      (_, no): NewRecord => ({ headers: [], body: recordEnvelope(`${no}`, 'x') }),
    );
    for (let batch = 0; batch < 6; batch += 1) await append(session, many);
    const { pages, shown, parsed } = await bothWays(session);
    expect(shown).toBe(parsed);
    expect(pages.length).toBeGreaterThan(1);
    expect((await bothWays(session)).shown).toBe(shown);
    const range = { from: 10, before: 12 };
    const page = await stage.streams.readTranscript({ session: locatedOf(session.order), stream: 'out' }, range);
    expect([page.last, page.next, JSON.parse(`[${page.json.toString()}]`)]).toMatchObject([
      11,
      3_000,
      [{ seqNum: 10 }, { seqNum: 11 }],
    ]);
  });

  /** Seqs of the first page and all that follow it. */
  async function seqsRead(process: StreamStage, { order }: OpenSession): Promise<number[]> {
    const stream = { session: locatedOf(order), stream: 'out' } as const;
    const seqs: number[] = [];
    const first = await process.streams.readTranscript(stream, { from: 0, before: null });
    for (let page = first; page.last !== null; ) {
      const shown = JSON.parse(`[${page.json.toString()}]`) as { seqNum: number }[];
      seqs.push(...shown.map(({ seqNum }) => seqNum));
      page = await process.streams.readTranscript(stream, { from: page.last + 1, before: first.next });
    }
    return seqs;
  }

  test('that were read before show what was appended and trimmed since, by another process too', async () => {
    stage = await openStage(suite.database);
    const session = await life.open();
    const large = { headers: [], body: recordEnvelope('x'.repeat(60_000), 'x') };
    const upTo = (from: number, end: number) => Array.from({ length: end - from }, (_, no) => from + no);
    await append(
      session,
      Array.from({ length: 40 }, () => large),
    );
    expect(await seqsRead(stage, session)).toEqual(upTo(0, 40));
    const other = await openStage(suite.database);
    await rangeOf(other, session, { records: [large, large] });
    expect(await seqsRead(stage, session)).toEqual(upTo(0, 42));
    const trim = Buffer.alloc(8);
    trim.writeBigUInt64BE(20n);
    await rangeOf(other, session, { records: [{ headers: [['', 'trim']], body: trim }] });
    for (const process of [stage, stage, other]) expect(await seqsRead(process, session)).toEqual(upTo(20, 42));
  });

  test('that were read before are not asked of the database again, but for where the stream begins and ends', async () => {
    const asked: string[] = [];
    const store = sqlStreamStore({
      ...suite.database,
      query: (text, values) => {
        asked.push(text);
        return suite.database.query(text, values);
      },
    });
    const session = await life.open();
    stage = await openStage(suite.database);
    const large = { headers: [], body: recordEnvelope('x'.repeat(60_000), 'x') };
    await append(
      session,
      Array.from({ length: 40 }, () => large),
    );
    const place = { sessionId: session.view.sessionId, stream: 'out' } as const;
    const readAll = async () => {
      const pages = [await store.readTranscript(place, { from: 0, before: null })];
      for (let last = pages[0]?.last ?? null; last !== null && last < 39; last = pages.at(-1)?.last ?? null)
        pages.push(await store.readTranscript(place, { from: last + 1, before: 40 }));
      return { text: pages.map(({ json }) => json.toString()).join(','), count: pages.length };
    };
    const first = await readAll();
    expect(asked).toHaveLength(first.count);
    expect(first.count).toBeGreaterThan(3);
    expect(await readAll()).toEqual(first);
    expect(asked).toHaveLength(first.count + 2);
  });
});
