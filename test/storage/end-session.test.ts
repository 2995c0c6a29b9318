/** Close, expiry and claims on both databases: what is final stays final. */
import { beforeAll, describe, expect, test } from 'vitest';
import { sqlRunStore } from '../../src/storage/run-store.ts';
import { sqlSessionStore } from '../../src/storage/session-store.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import { appendRecord, gateOf, type Lifecycle, lifecycleOf, outcome, rowsOf } from './lifecycle.ts';

describeEachDatabase('ends and claims', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  describe('close and expire', () => {
    test('close is write-once: the first reason stays, records are written once', async () => {
      const { own } = await life.open();
      const closes = ['first', 'second'].map((reason) => life.close({ ...own, reason, callingRunId: null }));
      const views = (await Promise.all(closes)).map(gateOf);
      expect(views.map((view) => view.state)).toEqual(['closed', 'closed']);
      const rows = await rowsOf(life.database, own.sessionId);
      expect(['first', 'second']).toContain(rows.gate['closed_reason']);
      expect(rows.records.map((record) => [record['stream'], record['from_client']])).toEqual([
        ['in', false],
        ['out', false],
      ]);
      expect(rows.records[1]?.['headers']).toEqual([
        ['trigger-control', 'session-closed'],
        ['session-closed-reason', rows.gate['closed_reason']],
      ]);
      expect(rows.out).toMatchObject({ settled: true, next: 1 });
    });

    test('close by the current run writes neither wake record nor session-closed: that run did', async () => {
      const { own, runId } = await life.open();
      await life.close({ ...own, reason: null, callingRunId: runId });
      expect((await rowsOf(life.database, own.sessionId)).records).toEqual([]);
    });

    test('an idle session is closed without a wake record', async () => {
      const { own } = await life.open();
      await life.endRun({ ...own, runNumber: 1, outcome: outcome('COMPLETED') });
      await life.close({ ...own, reason: null, callingRunId: null });
      expect((await rowsOf(life.database, own.sessionId)).records.map((record) => record['stream'])).toEqual(['out']);
    });

    test('I2: the wake record takes the next seq after the clients’ records, which keep theirs', async () => {
      const { own } = await life.open();
      const seqs = [await appendRecord(life.database, own.sessionId), await appendRecord(life.database, own.sessionId)];
      await life.close({ ...own, reason: null, callingRunId: null });
      const { records, gate } = await rowsOf(life.database, own.sessionId);
      const onIn = records.filter((record) => record['stream'] === 'in');
      expect(onIn.map((record) => [record['seq'], record['from_client']])).toEqual([
        [seqs[0], true],
        [seqs[1], true],
        [2, false],
      ]);
      expect(gate['next']).toBe(3);
    });

    test('expire waits for the moment, and is write-once after it', async () => {
      const { own } = await life.open({ expiresAtMs: Date.now() + 60_000 });
      expect(gateOf(await life.expire(own))).toMatchObject({ state: 'open' });
      expect((await rowsOf(life.database, own.sessionId)).gate['expired_at']).toBeNull();
      await life.database.query(
        `UPDATE gates SET expires_at = clock_timestamp() - interval '1 ms' WHERE session_id = $1`,
        [own.sessionId],
      );
      expect(gateOf(await life.expire(own))).toMatchObject({ state: 'expired' });
      const before = await rowsOf(life.database, own.sessionId);
      expect(gateOf(await life.expire(own))).toMatchObject({ state: 'expired' });
      expect(await rowsOf(life.database, own.sessionId)).toEqual(before);
      expect(before.records).toHaveLength(2);
    });

    test('V11: an expiry that was noticed stays, whatever a later create wants to move', async () => {
      const sessions = sqlSessionStore(life.database);
      const { own } = await life.open({ expiresAtMs: Date.now() - 1 });
      expect((await sessions.settleExpiry(own.sessionId)).expiredAt).not.toBeNull();
      const later = { triggerConfig: { basePayload: { late: true } }, expiresAt: new Date(Date.now() + 60_000) };
      const session = await sessions.writeThrough(own.sessionId, later);
      expect(session).toMatchObject({ triggerConfig: { basePayload: { chatId: 'c' } } });
      expect(session.expiredAt).not.toBeNull();
    });

    test('W-2: a refused write-through alters nothing', async () => {
      const sessions = sqlSessionStore(life.database);
      const { own } = await life.open({ tags: ['kept'] });
      await life.close({ ...own, reason: null, callingRunId: null });
      const before = await sessions.writeThrough(own.sessionId, {
        triggerConfig: { basePayload: { late: true } },
        tags: ['late'],
      });
      expect(before).toMatchObject({ tags: ['kept'], triggerConfig: { basePayload: { chatId: 'c' } } });
    });
  });

  describe('claim', () => {
    const claim = (environmentId: never, runId: never, attempt: number) =>
      sqlRunStore(life.database).claim({ environmentId, runId, attempt });

    test('moves fence, attempt and beginning; answers the cursor and the run’s deadline', async () => {
      const { own, order, runId } = await life.open({ triggerConfig: { basePayload: {}, maxDuration: 60 } });
      await appendRecord(life.database, own.sessionId);
      const granted = await claim(order.environment.id as never, runId as never, 1);
      expect(granted).toMatchObject({ sessionId: own.sessionId, runNumber: 1, attempt: 1, cursor: 0 });
      if (granted === null || granted === 'refused') throw new Error('the claim was not granted');
      expect(Math.abs((granted.deadlineAt?.getTime() ?? 0) - Date.now() - 60_000)).toBeLessThan(5_000);
      const second = await claim(order.environment.id as never, runId as never, 2);
      expect(second).toMatchObject({ attempt: 2, deadlineAt: granted.deadlineAt });
      const rows = await rowsOf(life.database, own.sessionId);
      expect(rows.gate).toMatchObject({ attempt: 2, began: 1 });
      expect(rows.out).toMatchObject({ fence_run: 1, fence_attempt: 2 });
      expect(rows.runs).toMatchObject([{ attempts: 2 }]);
    });

    test('is refused to an older attempt, to an ended run, and to a swapped-out one', async () => {
      const { own, order, runId } = await life.open();
      const attempt = (number: number) => claim(order.environment.id as never, runId as never, number);
      await attempt(2);
      expect(await attempt(1)).toBe('refused');
      await life.endAndContinue({
        ...own,
        runNumber: 1,
        requestKey: 'k',
        reason: 'manual',
        externalDeploymentId: null,
      });
      expect(await attempt(3)).toBe('refused');
      await life.endRun({ ...own, runNumber: 1, outcome: outcome('COMPLETED') });
      expect(await attempt(3)).toBe('refused');
    });

    test('V12: is refused to a run that was queued before the close, granted to one that had begun', async () => {
      const queued = await life.open();
      await life.close({ ...queued.own, reason: null, callingRunId: null });
      expect(await claim(queued.order.environment.id as never, queued.runId as never, 1)).toBe('refused');
      const begun = await life.open();
      await claim(begun.order.environment.id as never, begun.runId as never, 1);
      await life.close({ ...begun.own, reason: null, callingRunId: null });
      expect(await claim(begun.order.environment.id as never, begun.runId as never, 2)).toMatchObject({ attempt: 2 });
    });

    test('of an unknown run, or of another environment’s, is null (I8)', async () => {
      const { runId } = await life.open();
      expect(await claim('env_other' as never, runId as never, 1)).toBeNull();
      expect(await claim('env_other' as never, 'run_unknown' as never, 1)).toBeNull();
    });
  });
});
