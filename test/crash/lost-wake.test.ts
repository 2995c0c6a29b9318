/**
 * I5 with everything there is: HTTP, two API processes, Temporal, runs that really end. The reconciler is switched off
 * but where a story is about it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { counted } from '../harness/counts.ts';
import { openWakeStage, type WakeSession, type WakeStage } from './wake-stage.ts';

const timeout = 890_000;

function wakeTest(
  name: string,
  tell: (stage: WakeStage) => Promise<void>,
  environment: Readonly<Record<string, string>> = {},
): void {
  test(name, { timeout }, async () => {
    const stage = await openWakeStage(environment);
    try {
      await tell(stage);
    } finally {
      await stage.stop();
    }
  });
}

describe('every acknowledged record meets a run, and no session ever has two', () => {
  wakeTest('while appends to two API processes race the ends of runs', async (stage) => {
    const { api: other } = await stage.startApi();
    const sessions = await stage.open(16, 'quick');
    const rounds = counted(240, 10_000) / sessions.length;
    const raceOn = async (session: WakeSession) => {
      for (let round = 0; round < rounds; round += 1) {
        const answer = await stage.append(round % 2 === 0 ? stage.living : other, session, `${round}`);
        expect([answer.status, answer.body]).toEqual([200, { ok: true, seq: round }]);
        // About as long as a run takes: some appends meet it alive, some dead, some in between.
        await sleep(Math.random() * 150);
      }
    };
    await Promise.all(sessions.map(raceOn));
    await stage.everyRecordMet(sessions, 120_000);
    expect(await stage.recordCount()).toBe(sessions.length * rounds);
  });

  wakeTest(
    'when the API is killed after the commit and the client repeats its part id elsewhere (V3)',
    async (stage) => {
      const count = counted(50, 500);
      const [dead, ending] = [await stage.open(count, 'quick'), await stage.open(count, 'held')];
      const sessions = [...dead, ...ending];
      await killAfterCommits(stage, sessions, () => {
        for (const session of ending) stage.release(session);
      });
      const answers = await Promise.all(sessions.map((session) => stage.append(stage.living, session, 'm')));
      for (const { status, body } of answers) expect([status, body]).toEqual([200, { ok: true, seq: 0 }]);
      await stage.everyRecordMet(sessions, 300_000);
      expect(await stage.recordCount()).toBe(sessions.length);
    },
  );

  wakeTest(
    'when the API is killed after the commit and nobody repeats anything, by the reconciler (V4)',
    async (stage) => {
      const sessions = await stage.open(counted(60, 1_000), 'quick');
      await killAfterCommits(stage, sessions, () => undefined);
      await stage.everyRecordMet(sessions, 600_000);
      expect(await stage.recordCount()).toBe(sessions.length);
    },
    { RECONCILE_SECONDS: '1' },
  );
});

/** One append for each session is committed and neither woken for nor acknowledged when its process dies. */
async function killAfterCommits(
  stage: WakeStage,
  sessions: readonly WakeSession[],
  beforeTheKill: () => void,
): Promise<void> {
  const dying = await stage.startApi('append:after=hold');
  const appends = sessions.map((session) => stage.append(dying.api, session, 'm'));
  const ends = Promise.allSettled(appends);
  await vi.waitFor(async () => expect(await stage.recordCount()).toBe(sessions.length), 120_000);
  beforeTheKill();
  await dying.process.kill();
  const answered = (await ends).flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
  // A busy machine can lose the database's word that it has committed: that is a 503, and no acknowledgement either.
  expect(answered.filter(({ status }) => status !== 503).map(({ status, body }) => ({ status, body }))).toEqual([]);
  expect(answered.length).toBeLessThan(sessions.length / 2);
}
