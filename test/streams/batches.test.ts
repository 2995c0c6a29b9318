/** Appends of several records, with headers, bytes and trims, on both databases. */
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { contentPartId, type NewRecord } from '../../src/domain/record.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import { type Lifecycle, lifecycleOf, rowsOf } from '../storage/lifecycle.ts';
import { openStage, rangeOf, type StreamStage, writeBatch } from './stage.ts';

const text = (body: string): NewRecord => ({ headers: [], body });

function trim(point: number): NewRecord {
  const body = Buffer.alloc(8);
  body.writeBigUInt64BE(BigInt(point));
  return { headers: [['', 'trim']], body };
}

describeEachDatabase('an append of several records', (suite) => {
  let life: Lifecycle;
  let stage: StreamStage;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });
  beforeEach(async () => {
    stage = await openStage(suite.database);
  });

  test('is one range of one time, read back and followed with the headers and bodies that were sent', async () => {
    const session = await life.open();
    const reader = stage.follow(session, { stream: 'out' });
    const headers = [
      ['trigger-control', 'turn-complete'],
      ['ü\u0000"', '\\{}'],
    ] as const;
    const sent: NewRecord[] = [
      text('{"a":"\ud83d\ude00 ü\\n"}'),
      { headers, body: '' },
      { headers: [['', 'other']], body: Buffer.of(0, 255, 0, 1) },
      text(''),
    ];
    const before = Date.now();
    expect(await rangeOf(stage, session, { records: sent })).toMatchObject({ first: 0, end: 4, next: 4 });
    await expect.poll(() => reader.records).toHaveLength(4);
    const page = await stage.streams.read({ session: reader.session, stream: 'out' }, 0);
    expect(page).toMatchObject({ next: 4, settled: false });
    expect(page.records).toEqual(reader.records);
    expect(page.records.map((record) => record.headers)).toEqual(sent.map((record) => record.headers));
    expect(page.records.map(({ body }) => body)).toEqual([sent[0]?.body, '', '\u0000\ufffd\u0000\u0001', '']);
    expect(new Set(page.records.map(({ atMs }) => atMs)).size).toBe(1);
    expect(page.records[0]?.atMs).toBeGreaterThanOrEqual(before - 1_000);
    const rows = await rowsOf(suite.database, session.view.sessionId);
    expect(Buffer.from(rows.records[2]?.['body'] as Uint8Array)).toEqual(Buffer.of(0, 255, 0, 1));
    reader.leave();
  });

  test('that is repeated is answered with its first range and time, by another process too', async () => {
    const session = await life.open();
    const order = { records: [text('1'), text('2')], partId: contentPartId('digest') };
    const first = await rangeOf(stage, session, order);
    await rangeOf(stage, session, { records: [text('3')] });
    const other = await openStage(suite.database);
    expect(await rangeOf(other, session, order)).toEqual({ ...first, next: 3 });
    const both = await Promise.all([rangeOf(stage, session, order), rangeOf(other, session, order)]);
    expect(both.map(({ first: seq }) => seq)).toEqual([0, 0]);
    expect((await rowsOf(suite.database, session.view.sessionId)).records).toHaveLength(3);
  });

  test('that insists on a seq is stored there, or refused and told the next one', async () => {
    const session = await life.open();
    const writers = Array.from({ length: 8 }, () =>
      writeBatch(stage, session, { records: [text('a'), text('b')], matchSeq: 0 }),
    );
    const results = await Promise.all(writers);
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    for (const result of results)
      if (!result.ok) expect(result.failure).toEqual({ code: 'append_seq_mismatch', next: 2 });
    expect(await rangeOf(stage, session, { records: [text('c')], matchSeq: 2 })).toMatchObject({ first: 2 });
  });

  test.each(['out', 'logs/out'] as const)('of %s settles it, trims it, and a trim keeps it settled', async (stream) => {
    const session = await life.open();
    const turn: NewRecord = { headers: [['trigger-control', 'turn-complete']], body: '' };
    const page = async (from = 0) => {
      const opened = stage.follow(session, { stream });
      opened.leave();
      const { settled, records } = await stage.streams.read({ session: opened.session, stream }, from);
      return { settled, seqs: records.map(({ seq }) => seq) };
    };
    await rangeOf(stage, session, { stream, records: [text('1'), turn, text('2'), turn] });
    expect(await page()).toEqual({ settled: true, seqs: [0, 1, 2, 3] });
    await rangeOf(stage, session, { stream, records: [trim(2)] });
    expect(await page()).toEqual({ settled: true, seqs: [2, 3, 4] });
    await rangeOf(stage, session, { stream, records: [trim(1), text('3')] });
    expect(await page(1)).toEqual({ settled: false, seqs: [2, 3, 4, 5, 6] });
    await rangeOf(stage, session, { stream, records: [trim(99)] });
    expect(await page()).toEqual({ settled: false, seqs: [] });
    expect(await rangeOf(stage, session, { stream, records: [text('4')] })).toMatchObject({ first: 8 });
  });

  test('that trims takes away what nobody can repeat any more, and callers’ part ids last', async () => {
    const session = await life.open();
    const out = { stream: 'out' } as const;
    await rangeOf(stage, session, { records: [text('0')], partId: contentPartId('old') });
    await stage.seqOf(session, '1', { ...out, partId: 'mine' });
    const age = (hours: number) =>
      suite.database.query(
        `UPDATE records SET created_at = created_at - make_interval(hours => $2) WHERE session_id = $1`,
        [session.view.sessionId, hours],
      );
    await age(1);
    await rangeOf(stage, session, { records: [text('2')], partId: contentPartId('new') });
    await rangeOf(stage, session, { records: [trim(3)] });
    const seqs = async () => (await rowsOf(suite.database, session.view.sessionId)).records.map(({ seq }) => seq);
    expect(await seqs()).toEqual([1, 2, 3]);
    expect(await stage.seqOf(session, '1', { ...out, partId: 'mine' })).toBe(1);
    await age(24);
    await rangeOf(stage, session, { records: [trim(4)] });
    expect(await seqs()).toEqual([4]);
  });
});
