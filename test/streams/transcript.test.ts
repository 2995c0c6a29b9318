/** Pages that the database puts together say what a reader who parses every record would say. */
import { beforeAll, expect, test } from 'vitest';
import { isCommand, type NewRecord, recordEnvelope, recordView } from '../../src/domain/record.ts';
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
      pages.push(page.json);
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
    const range = { from: 10, before: 12 };
    const page = await stage.streams.readTranscript({ session: locatedOf(session.order), stream: 'out' }, range);
    expect([page.last, page.next, JSON.parse(`[${page.json}]`)]).toMatchObject([
      11,
      3_000,
      [{ seqNum: 10 }, { seqNum: 11 }],
    ]);
  });
});
