/** Waits on sessions that do not exist yet: a create races the registration, and no record is missed (protocol section 5). */
import { beforeAll, expect, test } from 'vitest';
import { counted } from '../harness/counts.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import { type Lifecycle, lifecycleOf } from '../storage/lifecycle.ts';
import { openStage } from './stage.ts';

const record = (text: string) => ({ kind: 'record', text });

describeEachDatabase('a wait', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  test('on a session that is being created is woken by its records, whichever comes first', async () => {
    const stage = await openStage(suite.database);
    const waiting = await life.open();
    await Promise.all(
      Array.from({ length: counted(25, 500) }, async (_round, round) => {
        const externalId = `created-meanwhile-${round}`;
        const sides = { stream: round % 2 === 0 ? 'in' : 'out', sessionKey: externalId } as const;
        const [early, created] = await Promise.all([stage.waitOf(waiting, sides), life.open({ externalId })]);
        const later = stage.waitOf(waiting, { ...sides, after: 0 });
        await stage.seqOf(created, '"first"', { stream: sides.stream });
        const answers = [stage.outcomeOf(waiting, early), later.then((id) => stage.outcomeOf(waiting, id))];
        await stage.seqOf(created, '"second"', { stream: sides.stream });
        expect(await Promise.all(answers)).toEqual([record('"first"'), record('"second"')]);
      }),
    );
    expect(stage.waitpoints.waiterCount()).toBe(0);
    expect(await suite.database.query('SELECT id FROM waitpoints WHERE awaited_workflow_id IS NOT NULL')).toEqual([]);
  });

  test('on a session that has ended before the wait was given to it is told that nothing can follow', async () => {
    const stage = await openStage(suite.database);
    const waiting = await life.open();
    const externalId = 'over-before-it-was-seen';
    const idempotency = { digest: 'key', ttlMs: null };
    const early = await stage.waitOf(waiting, { sessionKey: externalId, idempotency, after: 10 });
    const created = await life.open({ externalId });
    // By then the session is there, so the same key names another wait, and keeps naming that.
    const known = await stage.waitOf(waiting, { sessionKey: externalId, idempotency, after: 10 });
    await life.close({ ...created.own, reason: null, callingRunId: created.runId });
    expect(await stage.outcomeOf(waiting, early)).toEqual({ kind: 'ended' });
    expect(await stage.register(waiting, { sessionKey: externalId, idempotency })).toEqual({
      ok: true,
      value: { waitpointId: known, isCached: true },
    });
  });
});
