/** I4: appends of two processes race the close of their session; once it is acknowledged, nothing of theirs is stored, ever. */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { counted } from '../harness/counts.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import { brokenInvariants, type Lifecycle, lifecycleOf, type OpenSession, rowsOf } from '../storage/lifecycle.ts';
import { openStage, type StreamStage } from './stage.ts';

const appendsPerSession = 50;
const sessionsAtOnce = 8;

interface Tally {
  stored: number;
  refused: number;
}

/** Some leave at once, so that they queue before the close; the others for about as long as the first ones take. */
async function appendsOf(stages: readonly StreamStage[], session: OpenSession, tally: Tally): Promise<void> {
  await Promise.all(
    Array.from({ length: appendsPerSession }, async (_, index) => {
      await sleep(Math.max(0, Math.random() * 40 - 10));
      const stage = stages[index % stages.length] as StreamStage;
      const result = await stage.append(session, `${index}`, { partId: `p${index}` });
      if (!result.ok) expect(result.failure).toEqual({ code: 'append_to_closed', closedReason: 'over' });
      tally[result.ok ? 'stored' : 'refused'] += 1;
    }),
  );
}

describeEachDatabase('after an acknowledged close', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  const recordsOf = async (session: OpenSession) => (await rowsOf(suite.database, session.view.sessionId)).records;

  test('no racing append stores a record', { timeout: 600_000 }, async () => {
    const databases = suite.kind === 'postgres' ? [suite.database, suite.openAnother()] : [suite.database];
    const stages = await Promise.all(databases.map((database) => openStage(database)));
    const appends = suite.kind === 'postgres' ? counted(2_000, 100_000) : counted(1_200, 20_000);
    const tally: Tally = { stored: 0, refused: 0 };
    let left = appends / appendsPerSession;
    const raceOn = async () => {
      while (left > 0) {
        left -= 1;
        const session = await life.open();
        const appending = appendsOf(stages, session, tally);
        await sleep(Math.random() * 40);
        await life.close({ ...session.own, reason: 'over', callingRunId: null });
        const atClose = await recordsOf(session);
        await appending;
        expect(await recordsOf(session)).toEqual(atClose);
        expect(brokenInvariants(await rowsOf(suite.database, session.view.sessionId))).toEqual([]);
      }
    };
    await Promise.all(Array.from({ length: sessionsAtOnce }, raceOn));
    expect(tally.stored + tally.refused).toBe(appends);
    // Both ways to end came often enough to be about a race.
    expect(Math.min(tally.stored, tally.refused)).toBeGreaterThan(appends / 50);
  });
});
