/** Waitpoints on both databases: whatever races what, a stored record completes each wait for it, exactly once. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { newRunId } from '../../src/sessions/new-ids.ts';
import type { Database } from '../../src/storage/database.ts';
import { describeEachDatabase, describePostgres } from '../harness/databases.ts';
import { gateOf, type Lifecycle, lifecycleOf, type OpenSession, outcome, rowsOf } from '../storage/lifecycle.ts';
import { claimFirst, openStage, type StreamStage } from './stage.ts';

const record = (text: string) => ({ kind: 'record', text });

describeEachDatabase('a wait', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  test('is completed by the next record, all waits by one, each for its own side and cursor', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    const first = await stage.waitOf(session);
    const others = await Promise.all([
      stage.waitOf(session, { sessionKey: session.order.session.externalId ?? '' }),
      stage.waitOf(session, { stream: 'out' }),
      stage.waitOf(session, { after: 0 }),
    ]);
    const outcomes = [first, ...others].map((id) => stage.outcomeOf(session, id));
    await stage.seqOf(session, 'side', { stream: 'side/in' });
    await stage.seqOf(session, 'first');
    expect(await Promise.all(outcomes.slice(0, 2))).toEqual([record('first'), record('first')]);
    expect(stage.waitpoints.waiterCount()).toBe(2);
    await stage.seqOf(session, '{"to":"out"}', { stream: 'out' });
    expect(await outcomes[2]).toEqual(record('{"to":"out"}'));
    await stage.seqOf(session, 'second');
    expect(await outcomes[3]).toEqual(record('second'));
    // A completed one stays as it was.
    expect(await stage.outcomeOf(session, first)).toEqual(record('first'));
  });

  test('for a record that is there is completed at once, by the first one unseen', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    for (const text of ['a', 'b', 'c']) await stage.seqOf(session, text);
    for (const [after, expected] of [
      [-1, 'a'],
      [0, 'b'],
      [1, 'c'],
    ] as const) {
      expect(await stage.outcomeOf(session, await stage.waitOf(session, { after }))).toEqual(record(expected));
    }
    const early = await stage.waitOf(session, { after: 4 });
    await stage.seqOf(session, 'd');
    await stage.seqOf(session, 'e');
    expect(await pendingNow(stage, session, early)).toEqual({ kind: 'pending' });
    await stage.seqOf(session, 'f');
    expect(await stage.outcomeOf(session, early)).toEqual(record('f'));
  });

  test('a duplicate of a record that was seen completes nothing', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    await stage.seqOf(session, 'a', { partId: 'p' });
    const id = await stage.waitOf(session, { after: 0 });
    await stage.seqOf(session, 'a', { partId: 'p' });
    expect(await pendingNow(stage, session, id)).toEqual({ kind: 'pending' });
  });

  test('past its timeout is completed as an error, by whichever process looks, and no record changes that', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    const id = await stage.waitOf(session, { timeout: { kind: 'after', ms: 1 } });
    const never = await stage.waitOf(session, { timeout: { kind: 'at', at: new Date(0) } });
    expect(await stage.outcomeOf(session, id)).toEqual({ kind: 'timeout' });
    await stage.seqOf(session, 'late');
    expect(await stage.outcomeOf(session, id)).toEqual({ kind: 'timeout' });
    expect(await stage.outcomeOf(session, never)).toEqual(record('late'));
  });

  test('with a key is registered once, until the key has outlived its time', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    const idempotency = { digest: 'key', ttlMs: null };
    const register = (changes = {}) => stage.register(session, { idempotency, ...changes });
    const first = await register();
    expect(first).toMatchObject({ ok: true, value: { isCached: false } });
    const id = first.ok ? first.value.waitpointId : null;
    expect(await register()).toEqual({ ok: true, value: { waitpointId: id, isCached: true } });
    expect(await register({ stream: 'out' })).toMatchObject({ value: { isCached: false } });
    await stage.seqOf(session, 'x');
    expect(await register({ after: 0 })).toEqual({ ok: true, value: { waitpointId: id, isCached: true } });
    const short = { digest: 'short', ttlMs: 0 };
    const waits = [await register({ idempotency: short }), await register({ idempotency: short })];
    expect(waits).toMatchObject([{ value: { isCached: false } }, { value: { isCached: false } }]);
  });

  test('V14: is refused to a run that has ended or was replaced, and to an attempt that lost its claim', async () => {
    const stage = await openStage(suite.database);
    const refused = { ok: false, failure: { code: 'run_superseded' } };
    const session = await life.open();
    await claimFirst(suite.database, session);
    const { sessionId } = session.view;
    const by = (attempt: number, runId = session.runId) => ({ attempt: { sessionId, runId, runNumber: 1, attempt } });
    expect(await stage.register(session, by(2))).toEqual(refused);
    expect(await stage.register(session, by(1, newRunId()))).toEqual(refused);
    expect(await stage.register(session, by(1))).toMatchObject({ ok: true });
    const order = {
      ...session.own,
      runNumber: 1,
      requestKey: 'k',
      reason: 'manual',
      externalDeploymentId: null,
    } as const;
    const next = gateOf(await life.endAndContinue(order)).unscheduled?.id ?? newRunId();
    expect(await stage.register(session)).toEqual(refused);
    expect(await stage.register(session, { runId: next })).toMatchObject({ ok: true });
    await life.endRun({ ...session.own, runNumber: 2, outcome: outcome('COMPLETED') });
    expect(await stage.register(session, { runId: next })).toEqual(refused);
    expect(await stage.register(session, { runId: newRunId() })).toEqual({
      ok: false,
      failure: { code: 'run_not_found' },
    });
    const other = { sessionKey: 'session_nobody' };
    expect(await stage.register(session, other)).toEqual({ ok: false, failure: { code: 'session_not_found' } });
  });

  describe('of a session that ends', () => {
    const wakeText = expect.stringContaining('"trigger":"close"');

    test('is completed by the wake record of a close; later ones are told that nothing can follow', async () => {
      const stage = await openStage(suite.database);
      const session = await life.open();
      const [waiting, onOut] = [await stage.waitOf(session), await stage.waitOf(session, { stream: 'out' })];
      await life.close({ ...session.own, reason: null, callingRunId: null });
      expect(await stage.outcomeOf(session, waiting)).toEqual(record(wakeText as never));
      expect(await stage.outcomeOf(session, onOut)).toEqual(record(''));
      const later = await stage.waitOf(session, { after: 0 });
      expect(await stage.outcomeOf(session, later)).toEqual({ kind: 'ended' });
    });

    test('by its own run leaves no wake record, and nobody waiting', async () => {
      const stage = await openStage(suite.database);
      const session = await life.open();
      const id = await stage.waitOf(session);
      await life.close({ ...session.own, reason: null, callingRunId: session.runId });
      expect(await stage.outcomeOf(session, id)).toEqual({ kind: 'ended' });
    });

    test('by its expiry is completed, whoever notices: the workflow, or the registration itself', async () => {
      const stage = await openStage(suite.database);
      for (const notices of ['workflow', 'registration'] as const) {
        const session = await life.open({ expiresAtMs: Date.now() + 100_000 });
        const id = await stage.waitOf(session, { timeout: { kind: 'after', ms: 100_000 } });
        await suite.database.query(
          `UPDATE gates SET expires_at = clock_timestamp() - interval '1 ms' WHERE session_id = $1`,
          [session.view.sessionId],
        );
        if (notices === 'workflow') await life.expire(session.own);
        const late = await stage.waitOf(session);
        expect(await stage.outcomeOf(session, late)).toEqual(record(wakeText as never));
        expect(await stage.outcomeOf(session, id)).toEqual(record(wakeText as never));
      }
    });
  });

  test('V8: completing it moves no cursor, so a run that dies on its way to answer is continued', async () => {
    const stage = await openStage(suite.database);
    const session = await life.open();
    await claimFirst(suite.database, session);
    const id = await stage.waitOf(session);
    await stage.seqOf(session, 'question');
    expect(await stage.outcomeOf(session, id)).toEqual(record('question'));
    expect((await rowsOf(suite.database, session.view.sessionId)).gate).toMatchObject({ consumed: 0 });
    await life.endRun({ ...session.own, runNumber: 1, outcome: outcome('SYSTEM_FAILURE') });
    expect((await rowsOf(suite.database, session.view.sessionId)).gate).toMatchObject({ run_no: 2, live: true });
  });

  test('V8: a run that was cancelled while it waited, or while it was queued, is woken by what comes next', async () => {
    const stage = await openStage(suite.database);
    for (const claims of [true, false]) {
      const session = await life.open();
      if (claims) await claimFirst(suite.database, session);
      await stage.waitOf(session);
      await life.endRun({ ...session.own, runNumber: 1, outcome: outcome('CANCELED') });
      await stage.seqOf(session, 'question');
      expect(stage.wakes).toContain(`${session.view.sessionId}/1`);
    }
  });
});

/** Long enough for two looks at everything; a wait that is still pending then was completed by nothing before. */
async function pendingNow(stage: StreamStage, session: OpenSession, id: Parameters<StreamStage['outcomeOf']>[1]) {
  return stage.outcomeOf(session, id, AbortSignal.timeout(700));
}

/** Transactions of it stay open after their work until they are let go. */
function heldBack(database: Database): { held: Database; letGo: () => void; reached: Promise<void> } {
  let letGo = () => {};
  let reach = () => {};
  const opened = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const held: Database = {
    ...database,
    query: (text, values) => database.query(text, values),
    transaction: (work) =>
      database.transaction(async (sql) => {
        // A commit that leaves with the last statement could not be held back.
        const value = await work({
          query: (text, values) => sql.query(text, values),
          pipeline: (statements) => sql.pipeline(statements),
          last: ({ text, values }) => sql.query(text, values),
        });
        reach();
        await opened;
        return value;
      }),
  };
  return { held, letGo, reached };
}

const isWaitingForLock = async (database: Database): Promise<boolean> => {
  const rows = await database.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`);
  return rows.length > 0;
};

describePostgres('V7, an append and a registration of two processes', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  test.each(['in', 'out'] as const)(
    'on %s: a registration that commits while the append waits is completed',
    async (stream) => {
      const { held, letGo, reached } = heldBack(suite.openAnother());
      const [slow, other] = [await openStage(held), await openStage(suite.database)];
      const session = await life.open();
      const registered = slow.waitOf(session, { stream });
      await reached;
      const appended = other.seqOf(session, 'met', { stream });
      await vi.waitFor(async () => expect(await isWaitingForLock(suite.database)).toBe(true));
      letGo();
      const id = await registered;
      await appended;
      expect(await other.outcomeOf(session, id)).toEqual(record('met'));
    },
  );

  test.each(['in', 'out'] as const)(
    'on %s: an append that commits while the registration waits completes it',
    async (stream) => {
      const { held, letGo, reached } = heldBack(suite.openAnother());
      const [slow, other] = [await openStage(held), await openStage(suite.database)];
      const session = await life.open();
      const appended = slow.seqOf(session, 'met', { stream });
      await reached;
      const registered = other.waitOf(session, { stream });
      await vi.waitFor(async () => expect(await isWaitingForLock(suite.database)).toBe(true));
      letGo();
      expect(await other.outcomeOf(session, await registered)).toEqual(record('met'));
      await appended;
    },
  );

  test('a thousand rounds over two processes lose no wake, with and without notifications', {
    timeout: 120_000,
  }, async () => {
    const appending = await openStage(suite.database);
    const waiting = await openStage(suite.openAnother(), { isDeaf: true });
    const session = await life.open();
    for (let round = 0; round < 100; round += 1) {
      const lane = Array.from({ length: 10 }, (_, index) => round * 10 + index);
      const [ids] = await Promise.all([
        Promise.all(lane.map(() => waiting.waitOf(session, { after: round * 10 - 1 }))),
        Promise.all(lane.map((seq) => appending.seqOf(session, `${seq}`, { partId: `${seq}` }))),
      ]);
      const rows = await suite.database.query<{ record_seq: number }>(
        `SELECT record_seq FROM waitpoints WHERE id = ANY($1) AND state = 'record'`,
        [ids],
      );
      expect(rows.map((row) => row.record_seq)).toEqual(lane.map(() => round * 10));
    }
  });
});
