/** Create and take-over on both databases: one row per external id, one owner, one run. */
import { beforeAll, describe, expect, test } from 'vitest';
import { describeEachDatabase } from '../harness/databases.ts';
import {
  anOwner,
  appendRecord,
  brokenInvariants,
  gateOf,
  type Lifecycle,
  lifecycleOf,
  outcome,
  rowsOf,
} from './lifecycle.ts';

describeEachDatabase('create and take-over', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  const invariantsHold = async (sessionId: string) =>
    expect(brokenInvariants(await rowsOf(life.database, sessionId))).toEqual([]);

  describe('create', () => {
    test('makes the session, its gate, its streams and run 1, and hands the run to be scheduled', async () => {
      const { view, order, runId } = await life.open();
      expect(view).toMatchObject({ state: 'open', runNumber: 1, live: true, externalId: order.session.externalId });
      expect(view.unscheduled).toMatchObject({ id: runId, number: 1, reason: 'initial', taskIdentifier: 'my-chat' });
      const rows = await rowsOf(life.database, view.sessionId);
      expect(rows.gate).toMatchObject({
        owner: order.owner.id,
        run_no: 1,
        live: true,
        attempt: 0,
        began: null,
        next: 0,
      });
      expect(rows.out).toMatchObject({ next: 0, fence_run: 1, fence_attempt: 0 });
      expect(rows.runs).toMatchObject([{ id: runId, no: 1, status: 'QUEUED', request_key: order.session.requestKey }]);
      await invariantsHold(view.sessionId);
    });

    test('repeated by its own workflow changes nothing and answers the same (V5)', async () => {
      const { order, view } = await life.open();
      const before = await rowsOf(life.database, view.sessionId);
      const again = gateOf(await life.create(order));
      expect({ ...again, nowMs: 0 }).toEqual({ ...view, nowMs: 0 });
      expect(await rowsOf(life.database, view.sessionId)).toEqual(before);
    });

    test('twenty at once by one workflow make one session and one run', async () => {
      const order = life.createOrder();
      const views = await Promise.all(Array.from({ length: 20 }, async () => gateOf(await life.create(order))));
      expect(new Set(views.map((view) => `${view.sessionId} ${view.unscheduled?.id}`)).size).toBe(1);
      await invariantsHold(order.session.id);
    });

    test('I6: twenty workflows with one external id leave one row, owned by the youngest that came', async () => {
      const orders = Array.from({ length: 20 }, () => life.createOrder({ externalId: `contested-${suite.kind}` }));
      const answers = await Promise.all(orders.map((order) => life.create(order)));
      const ids = new Set(answers.flatMap((answer) => (answer.kind === 'gone' ? [] : [answer.sessionId])));
      expect(ids.size).toBe(1);
      const [id = ''] = ids;
      const { gate } = await rowsOf(life.database, id);
      expect(gate['owner']).toBe(orders.at(-1)?.owner.id);
      await invariantsHold(id);
    });

    test('by an older workflow than the owner is gone, and touches nothing', async () => {
      const { order, view } = await life.open();
      const before = await rowsOf(life.database, view.sessionId);
      const older = { ...order, owner: { id: 'older', startedAtMs: order.owner.startedAtMs - 1 } };
      expect(await life.create(older)).toEqual({ kind: 'gone' });
      expect(await rowsOf(life.database, view.sessionId)).toEqual(before);
    });

    test('V10: the same request key from a younger workflow takes over and never runs the same run twice', async () => {
      const { order, runId } = await life.open();
      const view = gateOf(await life.create({ ...order, owner: anOwner() }));
      expect(view).toMatchObject({ runNumber: 1, live: false, unscheduled: null });
      const { runs } = await rowsOf(life.database, view.sessionId);
      expect(runs).toMatchObject([{ id: runId, status: 'SYSTEM_FAILURE' }]);
      await invariantsHold(view.sessionId);
    });
  });

  describe('take-over of a session whose workflow was lost', () => {
    test('starts a continuation when the lost run left a record unread', async () => {
      const { own, runId } = await life.open();
      await appendRecord(life.database, own.sessionId);
      const taker = anOwner();
      const view = gateOf(await life.adopt({ ...own, owner: taker, scheduled: 0 }));
      expect(view.unscheduled).toMatchObject({ number: 2, reason: 'continuation' });
      expect(view.unscheduled?.payload).toMatchObject({ continuation: true, previousRunId: runId });
      expect((await rowsOf(life.database, own.sessionId)).gate).toMatchObject({ owner: taker.id, barren: 1 });
      await invariantsHold(own.sessionId);
    });

    test('of an ended session ends its runs and starts none', async () => {
      const { own } = await life.open();
      await appendRecord(life.database, own.sessionId);
      await life.close({ ...own, reason: null, callingRunId: null });
      const view = gateOf(await life.adopt({ ...own, owner: anOwner(), scheduled: 0 }));
      expect(view).toMatchObject({ state: 'closed', live: false, unscheduled: null });
      await invariantsHold(own.sessionId);
    });

    test('leaves the old owner nothing to say', async () => {
      const { own } = await life.open();
      await life.adopt({ ...own, owner: anOwner() });
      const before = await rowsOf(life.database, own.sessionId);
      const late = [
        life.look(own),
        life.continueRun({ ...own, runNumber: 1 }),
        life.endRun({ ...own, runNumber: 1, outcome: outcome('COMPLETED') }),
        life.endAndContinue({ ...own, runNumber: 1, requestKey: 'k', reason: 'manual', externalDeploymentId: null }),
        life.close({ ...own, reason: null, callingRunId: null }),
        life.expire(own),
      ];
      expect(await Promise.all(late)).toEqual(late.map(() => ({ kind: 'gone' })));
      expect(await rowsOf(life.database, own.sessionId)).toEqual(before);
    });
  });
});
