/** Appends on both databases: one order, one record per part id, and always a run that meets it. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { appendsWaitingMax } from '../../src/domain/limits.ts';
import { describeEachDatabase, describePostgres } from '../harness/databases.ts';
import { type Lifecycle, lifecycleOf, outcome, rowsOf } from '../storage/lifecycle.ts';
import { claimFirst, openStage, type StreamStage } from './stage.ts';

const bodyOf = (record: Record<string, unknown>): { data: string; id: string } =>
  JSON.parse(Buffer.from(record['body'] as Uint8Array).toString()) as { data: string; id: string };

describeEachDatabase('append', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  const stored = async (sessionId: string, stream = 'in') =>
    (await rowsOf(suite.database, sessionId)).records.filter((record) => record['stream'] === stream);

  test('records get dense seqs from 0, each stream of a session its own, and keep their text', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    const awkward = '{"a":"\u0000 \ud800 ü"}\n';
    expect(await stage.seqOf(session, awkward, { partId: 'p1' })).toBe(0);
    expect(await stage.seqOf(session, 'b')).toBe(1);
    expect(await stage.seqOf(session, 'c', { stream: 'out' })).toBe(0);
    expect(await stage.seqOf(session, 'd', { stream: 'side.1/in' })).toBe(0);
    expect(await stage.seqOf(session, 'e', { stream: 'side.1/in' })).toBe(1);
    expect((await stored(session.view.sessionId)).map(bodyOf)).toMatchObject([
      { data: awkward, id: 'p1' },
      { data: 'b' },
    ]);
    expect(await stored(session.view.sessionId, 'side.1/in')).toHaveLength(2);
    expect(stage.wakes).toEqual([]);
  });

  test('one that the database cannot store fails alone, whoever travels with it', async () => {
    await suite.database.changeSchema((sql) =>
      sql.script(`
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planned'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON records FOR EACH ROW WHEN (NEW.part_id = 'refused') EXECUTE FUNCTION refuse();`),
    );
    const stage = await openStage(suite.database);
    const [one, other] = [await life.open(), await life.open()];
    const texts = Array.from({ length: 20 }, (_, no) => `${no}`);
    const appends = texts.map((text, no) =>
      stage.seqOf(no % 2 === 0 ? one : other, text, { partId: no === 8 ? 'refused' : text }),
    );
    const outcomes = await Promise.allSettled(appends);
    expect(outcomes.flatMap(({ status }, no) => (status === 'rejected' ? [no] : []))).toEqual([8]);
    const storedOf = async (session: typeof one) =>
      (await stored(session.view.sessionId)).map(bodyOf).map(({ data }) => data);
    expect(await storedOf(one)).toEqual(texts.filter((_, no) => no % 2 === 0 && no !== 8));
    expect(await storedOf(other)).toEqual(texts.filter((_, no) => no % 2 === 1));
    await suite.database.changeSchema((sql) => sql.script('DROP TRIGGER refuse ON records; DROP FUNCTION refuse();'));
  });

  test('V7: one part id twenty times at once is one record, and every answer has its seq', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    await stage.seqOf(session, 'before');
    const seqs = await Promise.all(
      Array.from({ length: 20 }, (_, index) => stage.seqOf(session, `try ${index}`, { partId: 'same' })),
    );
    expect(new Set(seqs)).toEqual(new Set([1]));
    expect(await stage.seqOf(session, 'later', { partId: 'same' })).toBe(1);
    expect(await stage.seqOf(session, 'next')).toBe(2);
    expect((await stored(session.view.sessionId)).map(bodyOf).map(({ data }) => data)).toEqual([
      'before',
      'try 0',
      'next',
    ]);
  });

  test('V2: nothing is stored after an acknowledged close, not even in a race with it', async () => {
    const stage = await openStage(suite.database);
    for (let round = 0; round < 20; round += 1) {
      const session = await life.open();
      const appends = Array.from({ length: 8 }, (_, index) => stage.append(session, `${index}`));
      await life.close({ ...session.own, reason: 'over', callingRunId: null });
      const before = (await stored(session.view.sessionId)).length;
      const results = await Promise.all(appends);
      expect(await stored(session.view.sessionId)).toHaveLength(before);
      for (const result of results) {
        if (!result.ok) expect(result.failure).toEqual({ code: 'append_to_closed', closedReason: 'over' });
      }
      const again = await stage.append(session, 'too late', { partId: 'p' });
      expect(again).toEqual({ ok: false, failure: { code: 'append_to_closed', closedReason: 'over' } });
    }
  });

  test('more appends than may wait are refused at once; whatever was not refused is stored', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    const results = await Promise.all(
      Array.from({ length: appendsWaitingMax + 20 }, (_, index) => stage.append(session, `${index}`)),
    );
    const refused = results.filter((result) => !result.ok);
    expect(refused).toEqual(refused.map(() => ({ ok: false, failure: { code: 'appends_crowded' } })));
    expect(refused.length).toBeGreaterThan(0);
    expect(await stored(session.view.sessionId)).toHaveLength(results.length - refused.length);
  });

  test('V11: past its expiry a session is expired for good before an append is told so', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open({ expiresAtMs: Date.now() - 1_000 });
    expect(await stage.append(session, 'late', { stream: 'side/in' })).toMatchObject({
      failure: { code: 'append_to_expired' },
    });
    const rows = await rowsOf(suite.database, session.view.sessionId);
    expect(rows.gate['expired_at']).toBeInstanceOf(Date);
    expect(rows.records.map(({ stream, from_client: client }) => [stream, client])).toEqual([
      ['in', false],
      ['out', false],
    ]);
  });

  test('I5: an append to a dead run is flagged and wakes once; a duplicate wakes again from another process (V3)', async () => {
    const [stage, other] = [await openStage(suite.database), await openStage(suite.database)];
    const session = await life.open();
    await claimFirst(suite.database, session);
    await life.endRun({ ...session.own, runNumber: 1, outcome: outcome('COMPLETED') });
    await Promise.all([1, 2, 3].map((part) => stage.seqOf(session, 'm', { partId: `p${part}` })));
    expect((await rowsOf(suite.database, session.view.sessionId)).gate['wake_after']).toBe(1);
    const wake = `${session.view.sessionId}/1`;
    expect(stage.wakes).toEqual([wake]);
    await other.seqOf(session, 'm', { partId: 'p1' });
    expect(other.wakes).toEqual([wake]);
    await other.seqOf(session, 'aside', { stream: 'side/in' });
    await other.seqOf(session, 'out', { stream: 'out' });
    expect(other.wakes).toHaveLength(1);
  });

  test('a wake that Temporal does not take delays no acknowledgement for ever, and stays flagged (V4)', async () => {
    const stage = await openStage(suite.database, { refuseWakes: true });
    const session = await life.open();
    await claimFirst(suite.database, session);
    await life.endRun({ ...session.own, runNumber: 1, outcome: outcome('COMPLETED') });
    expect(await stage.seqOf(session, 'm')).toBe(0);
    expect((await rowsOf(suite.database, session.view.sessionId)).gate['wake_after']).toBe(1);
  });

  test('laws: any appends, repeated and together, give the order and the seqs of a plain list', async () => {
    const stage = await openStage(suite.database);
    const append = fc.record({
      session: fc.nat({ max: 1 }),
      stream: fc.constantFrom('in' as const, 'out' as const, 'side/out' as const),
      partId: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: null }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(append, { minLength: 1, maxLength: 6 }), { maxLength: 5 }), async (waves) => {
        const sessions = [await life.open(), await life.open()];
        const model = new Map<string, (string | null)[]>();
        for (const wave of waves) {
          const seqs = await Promise.all(
            wave.map(({ session, ...rest }) => stage.seqOf(sessions[session] as (typeof sessions)[0], 'm', rest)),
          );
          const expected = wave.map(({ session, stream, partId }) => {
            const list = model.get(`${session}${stream}`) ?? [];
            model.set(`${session}${stream}`, list);
            const known = partId === null ? -1 : list.indexOf(partId);
            return known >= 0 ? known : list.push(partId) - 1;
          });
          expect(seqs).toEqual(expected);
        }
      }),
      { numRuns: 25 },
    );
  });
});

describePostgres('append by two processes', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  const pair = (): Promise<[StreamStage, StreamStage]> =>
    Promise.all([openStage(suite.database), openStage(suite.openAnother())]);

  test('one part id twenty times at once is one record with one seq', async () => {
    const stages = await pair();
    for (let round = 0; round < 10; round += 1) {
      const session = await life.open();
      const seqs = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (stages[index % 2] as StreamStage).seqOf(session, `${index}`, { partId: 'same' }),
        ),
      );
      expect(new Set(seqs)).toEqual(new Set([0]));
      expect((await rowsOf(suite.database, session.view.sessionId)).records).toHaveLength(1);
    }
  });

  test('many sessions at once, in opposite orders: no deadlock, no gap, nothing twice', async () => {
    const stages = await pair();
    const sessions = await Promise.all(Array.from({ length: 12 }, () => life.open()));
    const appends = stages.flatMap((stage, index) =>
      (index === 0 ? sessions : sessions.toReversed()).flatMap((session) =>
        Array.from({ length: 10 }, () => stage.seqOf(session, 'm', { stream: 'out' })),
      ),
    );
    await Promise.all(appends);
    for (const session of sessions) {
      const { records } = await rowsOf(suite.database, session.view.sessionId);
      expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, seq) => seq));
    }
  });

  describe('a gate that somebody holds', () => {
    test('holds up its own session and no other', async () => {
      const [stage] = await pair();
      const [held, free] = [await life.open(), await life.open()];
      let release: () => void = () => {};
      const holding = suite.database.transaction(async (sql) => {
        await sql.query('SELECT FROM gates WHERE session_id = $1 FOR NO KEY UPDATE', [held.view.sessionId]);
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      });
      await expect.poll(() => suite.database.usage().busy).toBe(1);
      const late = stage.seqOf(held, 'm');
      expect(await stage.seqOf(free, 'm')).toBe(0);
      expect(await Promise.race([late, stage.seqOf(free, 'm')])).toBe(1);
      release();
      await holding;
      expect(await late).toBe(0);
    });
  });
});
