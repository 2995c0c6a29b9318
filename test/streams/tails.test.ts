/** Readers of a stream: exact resume, bounded cost, and nothing left behind. */
import { beforeAll, expect, test, vi } from 'vitest';
import type { RecordBatch } from '../../src/streams/record-batch.ts';
import { describeEachDatabase, describePostgres } from '../harness/databases.ts';
import { type Lifecycle, lifecycleOf, type OpenSession } from '../storage/lifecycle.ts';
import { type Follower, openStage, type StreamStage, textOf } from './stage.ts';

const range = (from: number, until: number) => Array.from({ length: until - from }, (_, index) => from + index);

async function fill(stage: StreamStage, session: OpenSession, count: number): Promise<void> {
  for (const part of range(0, count)) await stage.seqOf(session, `text ${part}`);
}

const hears = (follower: Follower, seqs: readonly number[]) =>
  vi.waitFor(() => expect(follower.seqs()).toEqual(seqs), { timeout: 10_000 });

describeEachDatabase('a tail', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  test('from each seq it gets the exact suffix, then what comes, and leaves nothing behind', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    await fill(stage, session, 6);
    const followers = range(0, 9).map((from) => stage.follow(session, { from }));
    await vi.waitFor(() => expect(followers[5]?.seqs()).toEqual([5]));
    await stage.seqOf(session, 'text 6');
    await Promise.all(followers.slice(0, 7).map((follower, from) => hears(follower, range(from, 7))));
    await fill(stage, session, 3);
    await Promise.all(followers.map((follower, from) => hears(follower, range(from, 10))));
    expect(followers[2]?.records.slice(0, 5).map(textOf)).toEqual(range(2, 7).map((part) => `text ${part}`));
    for (const follower of followers) follower.leave();
    expect(await Promise.all(followers.map(({ ended }) => ended))).toEqual(followers.map(() => 'gone'));
    expect(stage.streams.usage()).toEqual({ tails: 0, watched: 0 });
  });

  test('under concurrent appends every reader sees one contiguous order, also one that is cut off again and again', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    const steady = stage.follow(session);
    const resumed: number[] = [];
    let appended = 0;
    const appending = Promise.all(
      range(0, 4).map(async () => {
        for (const _ of range(0, 40)) {
          await stage.seqOf(session, 'm');
          appended += 1;
        }
      }),
    );
    while (resumed.length < 160) {
      const follower = stage.follow(session, { from: resumed.length });
      const enough = Math.min(160, appended + 1) - resumed.length;
      await vi.waitFor(() => expect(follower.records.length).toBeGreaterThanOrEqual(Math.min(enough, 7)), 10_000);
      follower.leave();
      await follower.ended;
      resumed.push(...follower.seqs());
    }
    await appending;
    await hears(steady, range(0, 160));
    expect(resumed).toEqual(range(0, 160));
  });

  test('a reader that is cut off before its first record misses nothing when it comes back', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    await fill(stage, session, 3);
    for (const _ of range(0, 2)) {
      const cut = stage.follow(session, { from: 3 });
      cut.leave();
      await cut.ended;
      expect(cut.seqs()).toEqual([]);
    }
    await stage.seqOf(session, 'm');
    await hears(stage.follow(session, { from: 3 }), [3]);
  });

  test('a socket that is full gets nothing more until it has room, then everything, and slows nobody', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    const seen: number[] = [];
    let makeRoom: () => void = () => {};
    const slow = stage.follow(session, {
      sink: {
        deliver: (batch) => {
          seen.push(...batch.records.map(({ seq }) => seq));
          return false;
        },
        drained: () =>
          new Promise((resolve) => {
            makeRoom = resolve;
          }),
      },
    });
    const quick = stage.follow(session);
    await fill(stage, session, 50);
    await hears(quick, range(0, 50));
    const backlog = seen.length;
    expect(backlog).toBeLessThan(50);
    await vi.waitFor(() => {
      makeRoom();
      expect(seen).toEqual(range(0, 50));
    });
    slow.leave();
    makeRoom();
    expect(await slow.ended).toBe('gone');
  });

  test('quiet time ends it, and a record sets it back', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    const follower = stage.follow(session, { timeoutMs: 1_000 });
    const startedAt = Date.now();
    await vi.waitFor(() => expect(Date.now() - startedAt).toBeGreaterThan(500));
    await stage.seqOf(session, 'm');
    expect(await follower.ended).toBe('quiet');
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1_490);
    expect(stage.streams.usage()).toEqual({ tails: 0, watched: 0 });
  });

  test("a session's end reaches its readers, records of the server included", async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    const follower = stage.follow(session, { stream: 'out' });
    await life.close({ ...session.own, reason: 'over', callingRunId: null });
    await hears(follower, [0]);
    expect(follower.records[0]?.headers).toEqual([
      ['trigger-control', 'session-closed'],
      ['session-closed-reason', 'over'],
    ]);
  });

  test('1,000 readers that leave at any moment leave nothing behind; a stop ends all', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    await fill(stage, session, 3);
    const followers = range(0, 1_000).map(() => stage.follow(session, { from: 1 }));
    for (const follower of followers.filter((_, index) => index % 3 === 0)) follower.leave();
    await hears(followers[1] as Follower, [1, 2]);
    await stage.seqOf(session, 'm');
    for (const follower of followers.filter((_, index) => index % 3 === 1)) follower.leave();
    await hears(followers[2] as Follower, [1, 2, 3]);
    stage.streams.stop();
    const ends = await Promise.all(followers.map(({ ended }) => ended));
    expect(new Set(ends)).toEqual(new Set(['gone', 'stopped']));
    expect(stage.streams.usage()).toEqual({ tails: 0, watched: 0 });
  });

  test('a page ends at its bytes, and a trimmed stream begins where it was trimmed', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    const long = 'x'.repeat(100_000);
    for (const _ of range(0, 8)) await stage.seqOf(session, long, { stream: 'out' });
    const place = { session: { ...session.view, id: session.view.sessionId, workflowId: '' }, stream: 'out' as const };
    const page = await stage.streams.read(place, 0);
    expect([page.records.length, page.next]).toEqual([3, 8]);
    await suite.database.query('UPDATE outs SET trimmed_before = 5 WHERE session_id = $1', [session.view.sessionId]);
    await hears(stage.follow(session, { stream: 'out' }), [5, 6, 7]);
    await hears(stage.follow(session, { stream: 'out', from: 2 }), [5, 6, 7]);
  });
});

describePostgres('a tail in another process', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  test('hears by notification well before it would look', async () => {
    const [writer, reader] = [await openStage(suite.database), await openStage(suite.openAnother())];
    const session = await life.open();
    const follower = reader.follow(session);
    await vi.waitFor(() => expect(reader.streams.usage().watched).toBe(1));
    const startedAt = performance.now();
    for (const part of range(0, 10)) {
      await writer.seqOf(session, `${part}`);
      await vi.waitFor(() => expect(follower.records).toHaveLength(part + 1), { interval: 5 });
    }
    // Looks come twice a second: ten of them would take five.
    expect(performance.now() - startedAt).toBeLessThan(2_500);
  });

  test('loses nothing when every notification is lost, and waits for one look at most', async () => {
    let looks = 0;
    const deaf = { isDeaf: true, onLook: () => (looks += 1) };
    const [writer, reader] = [
      await openStage(suite.database, { isDeaf: true }),
      await openStage(suite.openAnother(), deaf),
    ];
    const session = await life.open();
    const looksAt = new Map<number, number>();
    const slowest = { deliver: (batch: RecordBatch) => batch.records.every(({ seq }) => looksAt.set(seq, looks)) };
    const hearing = reader.follow(session, { sink: slowest });
    const own = writer.follow(session);
    await vi.waitFor(() => expect(reader.streams.usage().watched).toBe(1));
    for (const round of range(0, 5)) {
      const seqs = await Promise.all([writer.seqOf(session, 'w'), reader.seqOf(session, 'r')]);
      const before = looks;
      await vi.waitFor(() => expect(looksAt.size).toBe(2 * round + 2), 10_000);
      // One look may have been on its way when the append committed, and another begins while a busy machine reads.
      for (const seq of seqs) expect((looksAt.get(seq) ?? 99) - before).toBeLessThanOrEqual(3);
    }
    await hears(own, range(0, 10));
    hearing.leave();
  });
});
