/** Random orders, repeated, late and from two owners, on both databases. */
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { sqlRunStore } from '../../src/storage/run-store.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import { anOwner, appendRecord, brokenInvariants, type Lifecycle, lifecycleOf, outcome, rowsOf } from './lifecycle.ts';

describeEachDatabase('any order of orders', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  const invariantsHold = async (sessionId: string) =>
    expect(brokenInvariants(await rowsOf(life.database, sessionId))).toEqual([]);

  test('random orders, repeated and late, from two owners: I1, I3 and the fences hold after each', async () => {
    const step = fc.record({
      order: fc.constantFrom('ensure', 'end', 'swap', 'look', 'adopt', 'append', 'claim', 'close', 'expire'),
      runNumber: fc.integer({ min: 1, max: 4 }),
      status: fc.constantFrom('COMPLETED', 'FAILED', 'CRASHED', 'CANCELED'),
      repeat: fc.integer({ min: 1, max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
        const { own, order, runId } = await life.open();
        let owner = own.owner;
        for (const { order: kind, runNumber, status, repeat } of steps) {
          if (kind === 'adopt') owner = anOwner();
          const mine = { ...own, owner, scheduled: 9, runNumber };
          const apply = {
            ensure: () => life.continueRun(mine),
            end: () => life.endRun({ ...mine, outcome: outcome(status) }),
            swap: () => life.endAndContinue({ ...mine, requestKey: 'k', reason: 'manual', externalDeploymentId: null }),
            look: () => life.look(mine),
            adopt: () => life.adopt(mine),
            append: () => appendRecord(life.database, own.sessionId),
            claim: () => claimOf(order.environment.id, runId, runNumber),
            close: () => life.close({ ...mine, reason: status, callingRunId: null }),
            expire: () => life.expire(mine),
          }[kind as 'end'];
          for (let times = 0; times < repeat; times += 1) await apply();
          await invariantsHold(own.sessionId);
        }
      }),
      { numRuns: 40 },
    );
  });

  const claimOf = (environmentId: string, runId: string, attempt: number) =>
    sqlRunStore(life.database).claim({ environmentId: environmentId as never, runId: runId as never, attempt });
});
