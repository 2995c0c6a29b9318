/** The orders that move runs, on both databases: what each does, and that a repetition does nothing more. */
import { beforeAll, describe, expect, test } from 'vitest';
import { describeEachDatabase } from '../harness/databases.ts';
import { appendRecord, brokenInvariants, gateOf, type Lifecycle, lifecycleOf, outcome, rowsOf } from './lifecycle.ts';

describeEachDatabase('runs of a session', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  const invariantsHold = async (sessionId: string) =>
    expect(brokenInvariants(await rowsOf(life.database, sessionId))).toEqual([]);

  describe('end of a run', () => {
    test('records outcome and output once (I3); a second, different end changes nothing', async () => {
      const { own } = await life.open();
      const view = gateOf(
        await life.endRun({ ...own, runNumber: 1, outcome: { status: 'COMPLETED', output: { n: 1 } } }),
      );
      expect(view).toMatchObject({ live: false, unscheduled: null });
      const before = await rowsOf(life.database, own.sessionId);
      expect(before.runs).toMatchObject([{ status: 'COMPLETED', output: { n: 1 }, error: null }]);
      await life.endRun({ ...own, runNumber: 1, outcome: outcome('FAILED') });
      expect(await rowsOf(life.database, own.sessionId)).toEqual(before);
      await invariantsHold(own.sessionId);
    });

    test('V5: outcome and continuation are one step, and a redo schedules the same run', async () => {
      const { own } = await life.open();
      await appendRecord(life.database, own.sessionId);
      const end = { ...own, runNumber: 1, outcome: outcome('CRASHED') };
      const first = gateOf(await life.endRun(end));
      const second = gateOf(await life.endRun(end));
      expect(first.unscheduled).toMatchObject({ number: 2, reason: 'continuation' });
      expect(second.unscheduled).toEqual(first.unscheduled);
      expect((await rowsOf(life.database, own.sessionId)).runs).toHaveLength(2);
      await invariantsHold(own.sessionId);
    });

    test('V6: an end that was paused before it began and comes back after everything went on repeats nothing', async () => {
      const { own } = await life.open();
      await appendRecord(life.database, own.sessionId);
      const paused = { ...own, runNumber: 1, outcome: outcome('CRASHED') };
      await life.endRun(paused);
      await life.endRun({ ...own, scheduled: 2, runNumber: 2, outcome: outcome('COMPLETED') });
      await life.close({ ...own, scheduled: 2, reason: 'done', callingRunId: null });
      const before = await rowsOf(life.database, own.sessionId);
      expect(gateOf(await life.endRun(paused))).toMatchObject({ state: 'closed', unscheduled: null });
      expect(await rowsOf(life.database, own.sessionId)).toEqual(before);
    });

    test('a task that crashes at each boot gets three continuations in a row, then rests', async () => {
      const { own } = await life.open();
      await appendRecord(life.database, own.sessionId);
      let view = gateOf(await life.look({ ...own, scheduled: 0 }));
      for (let ends = 0; view.live && ends < 10; ends += 1) {
        view = gateOf(
          await life.endRun({
            ...own,
            scheduled: view.runNumber,
            runNumber: view.runNumber,
            outcome: outcome('CRASHED'),
          }),
        );
      }
      expect(view).toMatchObject({ runNumber: 4, live: false });
      await invariantsHold(own.sessionId);
    });

    test('the server’s own wake record obliges nobody', async () => {
      const { own } = await life.open();
      await life.close({ ...own, reason: null, callingRunId: null });
      const view = gateOf(await life.endRun({ ...own, runNumber: 1, outcome: outcome('CRASHED') }));
      expect(view).toMatchObject({ live: false, unscheduled: null });
    });

    test('shuts the fence of its own run only (V14)', async () => {
      const { own } = await life.open();
      await life.endAndContinue({
        ...own,
        runNumber: 1,
        requestKey: 'swap',
        reason: 'manual',
        externalDeploymentId: null,
      });
      await life.endRun({ ...own, runNumber: 1, outcome: outcome('COMPLETED') });
      expect((await rowsOf(life.database, own.sessionId)).out).toMatchObject({ fence_run: 2, fence_attempt: 0 });
      await life.endRun({ ...own, runNumber: 2, outcome: outcome('COMPLETED') });
      expect((await rowsOf(life.database, own.sessionId)).out).toMatchObject({ fence_run: 2, fence_attempt: null });
      await invariantsHold(own.sessionId);
    });
  });

  describe('ensure', () => {
    test('starts run n+1 after a dead run n, once, however often it is sent (R3)', async () => {
      const { own, runId } = await life.open();
      await life.endRun({ ...own, runNumber: 1, outcome: outcome('COMPLETED') });
      const order = { ...own, runNumber: 1 };
      const views = await Promise.all(Array.from({ length: 10 }, async () => gateOf(await life.continueRun(order))));
      expect(new Set(views.map((view) => view.unscheduled?.id)).size).toBe(1);
      expect(views[0]?.unscheduled?.payload).toMatchObject({ continuation: true, previousRunId: runId });
      await life.endRun({ ...own, scheduled: 2, runNumber: 2, outcome: outcome('COMPLETED') });
      expect(gateOf(await life.continueRun(order))).toMatchObject({ runNumber: 2, live: false });
      await invariantsHold(own.sessionId);
    });

    test('does nothing for a live run, and nothing for an ended session (I4)', async () => {
      const { own } = await life.open();
      expect(gateOf(await life.continueRun({ ...own, runNumber: 1 }))).toMatchObject({ runNumber: 1 });
      await life.endRun({ ...own, runNumber: 1, outcome: outcome('COMPLETED') });
      await life.close({ ...own, reason: null, callingRunId: null });
      expect(gateOf(await life.continueRun({ ...own, runNumber: 1 }))).toMatchObject({ runNumber: 1, live: false });
    });
  });

  describe('hand-over', () => {
    const swap = { requestKey: 'swap-key', reason: 'upgrade', externalDeploymentId: null } as const;

    test('makes the next run current while the old one is alive; V15: its key is on the new run alone', async () => {
      const { own } = await life.open({
        triggerConfig: { basePayload: {}, externalDeploymentId: 'd1', lockToVersion: 'v1' },
      });
      const view = gateOf(await life.endAndContinue({ ...own, ...swap, runNumber: 1 }));
      expect(view.unscheduled).toMatchObject({ number: 2, reason: 'upgrade', options: { lockToVersion: 'v1' } });
      expect(view.unscheduled?.options).not.toHaveProperty('externalDeploymentId');
      const { runs } = await rowsOf(life.database, own.sessionId);
      expect(runs.map((run) => [run['status'], run['request_key'] === swap.requestKey])).toEqual([
        ['QUEUED', false],
        ['QUEUED', true],
      ]);
      await invariantsHold(own.sessionId);
    });

    test('of twenty rivals one wins', async () => {
      const { own } = await life.open();
      const rivals = Array.from({ length: 20 }, (_, index) =>
        life.endAndContinue({ ...own, ...swap, requestKey: `rival-${index}`, runNumber: 1 }),
      );
      await Promise.all(rivals);
      const { runs } = await rowsOf(life.database, own.sessionId);
      expect(runs).toHaveLength(2);
      await invariantsHold(own.sessionId);
    });

    test('V16: the end of the swapped-out run starts no third run, although a record is unread', async () => {
      const { own } = await life.open();
      await life.endAndContinue({ ...own, ...swap, runNumber: 1 });
      await appendRecord(life.database, own.sessionId);
      const view = gateOf(await life.endRun({ ...own, scheduled: 2, runNumber: 1, outcome: outcome('COMPLETED') }));
      expect(view).toMatchObject({ runNumber: 2, live: true, unscheduled: null });
      expect((await rowsOf(life.database, own.sessionId)).runs).toHaveLength(2);
      await invariantsHold(own.sessionId);
    });
  });
});
