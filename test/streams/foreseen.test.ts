/**
 * An append that was planned before its locks answers and leaves behind what one under its locks does, whatever has
 * become of the session since this process saw it.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { AppendAnswer } from '../../src/sessions/ports.ts';
import type { Database } from '../../src/storage/database.ts';
import { sqlStreamStore } from '../../src/storage/streams/sql-stream-store.ts';
import { describeEachDatabase, describePostgres } from '../harness/databases.ts';
import { type Lifecycle, lifecycleOf, rowsOf } from '../storage/lifecycle.ts';
import { answerOf, appendOf, type Story, stored, stories, type World } from './foreseen-stories.ts';
import { openStage } from './stage.ts';

/** A process that appended a moment ago, and how many transactions it has opened since. */
function processOver(database: Database) {
  let transactions = 0;
  const store = sqlStreamStore({
    ...database,
    transaction: (work) => {
      transactions += 1;
      return database.transaction(work);
    },
  });
  return { store, transactions: () => transactions };
}

function seqOf(answer: AppendAnswer | 'busy'): number {
  if (answer === 'busy' || answer.outcome.kind !== 'stored') throw new Error(`not stored: ${JSON.stringify(answer)}`);
  return answer.outcome.seq;
}

describeEachDatabase('after', (suite) => {
  let world: World;
  beforeAll(async () => {
    world = { life: await lifecycleOf(suite.database), database: suite.database };
  });

  async function tell({ stream, first, meanwhile, second }: Story, isKnown: boolean) {
    const session = await world.life.open();
    const { store } = processOver(suite.database);
    await answerOf(store, appendOf(session, stream, first?.(session)));
    await meanwhile?.(session, world);
    const writer = isKnown ? store : sqlStreamStore(suite.database);
    const answer = await answerOf(writer, appendOf(session, stream, second?.(session)));
    const { gate, out, records } = await rowsOf(suite.database, session.view.sessionId);
    const { owner: _owner, owner_started_at: _at, session_id: _id, ...facts } = gate;
    // The server's own records carry ids of their own.
    const kept = records.map(({ stream: on, seq, headers, from_client: sent }) => ({ on, seq, headers, sent }));
    return { answer, facts, out: { ...out, session_id: null }, kept };
  }

  describe.each(stories)('$title', (story) => {
    test(`an append to ${story.stream} goes as under its locks`, async () => {
      const known = await tell(story, true);
      const locked = await tell(story, false);
      expect(known.answer).toMatchObject(story.expected);
      expect(withoutTimes(known)).toEqual(withoutTimes(locked));
    });
  });
});

/** Times differ from session to session; that they are there does not. */
const withoutTimes = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, field: unknown) => {
      const isTime = key === 'atMs' || key.endsWith('_at');
      return isTime && field !== null && field !== 0 ? 'a time' : field;
    }),
  );

describeEachDatabase('what one process appends to a stream', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  test.each(['in', 'out'] as const)('goes to %s in one statement once it is known', async (stream) => {
    const { store, transactions } = processOver(suite.database);
    const sessions = await Promise.all([life.open(), life.open(), life.open()]);
    const batch = (no: number) => sessions.map((session) => appendOf(session, stream, { partId: `part-${no}` }));
    await store.append(batch(0), true);
    expect(transactions()).toBe(1);
    for (const no of [1, 2, 3]) {
      const answers = await store.append(batch(no), false);
      expect(answers).toMatchObject(sessions.map(() => ({ outcome: stored(no), next: no + 1 })));
    }
    expect(transactions()).toBe(1);
  });

  test('is stored where it fits, and the rest under locks, answered each in its place', async () => {
    const { store, transactions } = processOver(suite.database);
    const sessions = await Promise.all([life.open(), life.open(), life.open()]);
    const batch = () => sessions.map((session) => appendOf(session, 'in'));
    await store.append(batch(), true);
    const [, closed] = sessions;
    if (closed === undefined) throw new Error('no session');
    await life.close({ ...closed.own, reason: null, callingRunId: null });
    const answers = await store.append(batch(), false);
    expect(answers.map((answer) => answer !== 'busy' && answer.outcome.kind)).toEqual(['stored', 'closed', 'stored']);
    expect(transactions()).toBe(2);
  });

  test('is answered although another stream of the batch fails, which then is to go by itself', async () => {
    const { store } = processOver(suite.database);
    const [sound, broken] = [await life.open(), await life.open()];
    const batch = () => [appendOf(sound, 'in'), appendOf(broken, 'in')];
    await store.append(batch(), true);
    await suite.database.query('DELETE FROM gates WHERE session_id = $1', [broken.view.sessionId]);
    expect(await store.append(batch(), true)).toMatchObject([{ outcome: stored(1) }, 'busy']);
    await expect(store.append([appendOf(broken, 'in')], true)).rejects.toThrow('without a gate');
    expect(await answerOf(store, appendOf(sound, 'in'))).toMatchObject({ outcome: stored(2) });
  });

  test('never goes back in time, though the clock does', async () => {
    const session = await life.open();
    await answerOf(sqlStreamStore(suite.database), appendOf(session, 'in'));
    const ahead = new Date(Date.now() + 3_600_000);
    const { sessionId } = session.view;
    await suite.database.query('UPDATE records SET created_at = $2 WHERE session_id = $1', [sessionId, ahead]);
    const { store, transactions } = processOver(suite.database);
    const learning = await answerOf(store, appendOf(session, 'in'));
    const known = await answerOf(store, appendOf(session, 'in'));
    expect([learning, known]).toMatchObject([{ atMs: ahead.getTime() }, { atMs: ahead.getTime() }]);
    const page = await store.read({ sessionId, stream: 'in' }, 1);
    expect(page.records.map(({ atMs }) => atMs)).toEqual([ahead.getTime(), ahead.getTime()]);
    expect(transactions()).toBe(1);
  });
});

describeEachDatabase('an append that cannot be stored', (suite) => {
  test('is told so, and holds up no other stream of its session', async () => {
    const life = await lifecycleOf(suite.database);
    const stage = await openStage(suite.database);
    const session = await life.open();
    await stage.seqOf(session, 'first');
    await stage.seqOf(session, '"first"', { stream: 'out' });
    await suite.database.query('DELETE FROM outs WHERE session_id = $1', [session.view.sessionId]);
    let isTold = false;
    const failing = stage
      .append(session, '"lost"', { stream: 'out' })
      .catch(String)
      .finally(() => {
        isTold = true;
      });
    let appended = 0;
    // Others of the session are under way all the while.
    const writers = Array.from({ length: 4 }, async () => {
      while (!isTold && appended < 2_000) {
        appended += 1;
        await stage.seqOf(session, `${appended}`);
      }
    });
    await Promise.all(writers);
    expect(appended).toBeLessThan(2_000);
    expect(await failing).toContain('without a gate');
    expect(await stage.seqOf(session, 'last')).toBe(appended + 1);
  });
});

describePostgres('processes that append to one stream at once', (suite) => {
  test('store every record once, in one order, whatever else changes the gate', async () => {
    const life = await lifecycleOf(suite.database);
    const session = await life.open();
    const { sessionId } = session.view;
    const stores = [suite.database, suite.openAnother(), suite.openAnother()].map((database) => processOver(database));
    const perProcess = 100;
    let isOver = false;
    const meddling = (async () => {
      for (let attempt = 1; !isOver; attempt += 1)
        await suite.database.query('UPDATE gates SET barren = $2 WHERE session_id = $1', [sessionId, attempt % 7]);
    })();
    const appends = stores.map(async ({ store }, process) => {
      const seqs: number[] = [];
      for (let no = 0; no < perProcess; no += 1) {
        const partId = `${process}-${no}`;
        const append = appendOf(session, 'in', { partId });
        const answer = await answerOf(store, append, false);
        seqs.push(seqOf(answer === 'busy' ? await answerOf(store, append, true) : answer));
      }
      return seqs;
    });
    const seqs = await Promise.all(appends).finally(() => {
      isOver = true;
    });
    await meddling;
    const { records, gate } = await rowsOf(suite.database, sessionId);
    expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: perProcess * 3 }, (_, seq) => seq));
    expect(gate).toMatchObject({ next: perProcess * 3 });
    const answered = seqs.flatMap((ofProcess, process) =>
      ofProcess.map((seq, no) => [seq, `${process}-${no}`] as const),
    );
    expect(records.map(({ seq, part_id: partId }) => [seq, partId])).toEqual(answered.sort(([a], [b]) => a - b));
  });
});

describePostgres('a gate that somebody holds', (suite) => {
  test('is not waited for by appends that are known, unless they may wait', async () => {
    const life = await lifecycleOf(suite.database);
    const { store } = processOver(suite.database);
    const [held, free] = [await life.open(), await life.open()];
    const batch = () => [appendOf(held, 'in'), appendOf(free, 'in')];
    await store.append(batch(), true);
    const waiting = await suite.database.transaction(async (sql) => {
      await sql.query('SELECT FROM gates WHERE session_id = $1 FOR UPDATE', [held.view.sessionId]);
      const answers = await store.append(batch(), false);
      expect(answers).toMatchObject(['busy', { outcome: stored(1) }]);
      return { answers: store.append([appendOf(held, 'in')], true) };
    });
    expect(await waiting.answers).toMatchObject([{ outcome: stored(1) }]);
  });
});
