/** V14 on both databases: of a session's attempts one alone writes, whatever the others still hold. */
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { ClaimedAttempt } from '../../src/domain/attempt.ts';
import type { NewRecord } from '../../src/domain/record.ts';
import { sqlRunStore } from '../../src/storage/run-store.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import {
  anOwner,
  gateOf,
  type Lifecycle,
  lifecycleOf,
  type OpenSession,
  outcome,
  rowsOf,
} from '../storage/lifecycle.ts';
import { openStage, type StreamStage, writeBatch } from './stage.ts';

const data: NewRecord = { headers: [], body: '{"data":1,"id":"a"}' };
const control = (subtype: string): NewRecord => ({ headers: [['trigger-control', subtype]], body: '' });

describeEachDatabase('writes of an attempt', (suite) => {
  let life: Lifecycle;
  let stage: StreamStage;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });
  beforeEach(async () => {
    stage = await openStage(suite.database);
  });

  async function claim(session: OpenSession, attempt: number, runId = session.runId): Promise<ClaimedAttempt> {
    const claimed = await sqlRunStore(suite.database).claim({
      environmentId: session.order.environment.id,
      runId,
      attempt,
    });
    if (claimed === null || claimed === 'refused') throw new Error('the claim was refused');
    return { sessionId: session.view.sessionId, runId, runNumber: claimed.runNumber, attempt };
  }

  /** How the three ways of writing were taken: both doors to `out`, and `out` of a side channel. */
  async function written(session: OpenSession, attempt: ClaimedAttempt | null): Promise<string[]> {
    const results = [
      await stage.append(session, 'm', { stream: 'out', attempt }),
      await writeBatch(stage, session, { records: [data], attempt }),
      await writeBatch(stage, session, { records: [data], attempt, stream: 'logs/out' }),
    ];
    return results.map((result) => (result.ok ? 'stored' : result.failure.code));
  }

  const stored = ['stored', 'stored', 'stored'];
  const fenced = ['append_fenced', 'append_fenced', 'append_fenced'];
  const closed = ['append_to_closed', 'append_to_closed', 'append_to_closed'];

  test('V11: are taken past an expiry that nobody has noticed, after the records that tell of it', async () => {
    const session = await life.open({ expiresAtMs: Date.now() + 100_000 });
    const attempt = await claim(session, 1);
    const { sessionId } = session.view;
    await suite.database.query(
      `UPDATE gates SET expires_at = clock_timestamp() - interval '1 ms' WHERE session_id = $1`,
      [sessionId],
    );
    expect(await written(session, attempt)).toEqual(stored);
    const { gate, out, records } = await rowsOf(suite.database, sessionId);
    expect(gate).toMatchObject({ next: 1, expired_at: expect.any(Date) });
    expect(out).toMatchObject({ next: 3 });
    const onOut = records.filter((record) => record['stream'] === 'out').map(({ seq, headers }) => [seq, headers]);
    const told = [
      ['trigger-control', 'session-closed'],
      ['session-closed-reason', 'expired'],
    ];
    expect(onOut).toEqual([
      [0, told],
      [1, null],
      [2, null],
    ]);
  });

  test('are taken until a later attempt has claimed; a root key writes before and after', async () => {
    const session = await life.open();
    const first = await claim(session, 1);
    expect(await written(session, first)).toEqual(stored);
    expect(await written(session, { ...first, attempt: 2 })).toEqual(fenced);
    const second = await claim(session, 2);
    expect(await written(session, first)).toEqual(fenced);
    expect(await written(session, second)).toEqual(stored);
    expect(await written(session, null)).toEqual(stored);
  });

  test('are refused once the run has ended, also when its session goes on', async () => {
    const session = await life.open();
    const attempt = await claim(session, 1);
    await life.endRun({ ...session.own, runNumber: 1, outcome: outcome('COMPLETED') });
    expect(await written(session, attempt)).toEqual(fenced);
    const { unscheduled } = gateOf(await life.continueRun({ ...session.own, runNumber: 1 }));
    expect(await written(session, attempt)).toEqual(fenced);
    expect(await written(session, await claim(session, 1, unscheduled?.id))).toEqual(stored);
    expect(await written(session, null)).toEqual(stored);
  });

  test('are refused after a take-over of a session whose workflow was lost', async () => {
    const session = await life.open();
    const attempt = await claim(session, 1);
    await life.adopt({ ...session.own, owner: anOwner(1_800_000_000_000), scheduled: 0 });
    expect(await written(session, attempt)).toEqual(fenced);
  });

  test('are refused after a hand-over, but for the two records that say so, until the run ends', async () => {
    const session = await life.open();
    const old = await claim(session, 1);
    const handOver = { requestKey: 'k', reason: 'upgrade' as const, externalDeploymentId: null };
    gateOf(await life.endAndContinue({ ...session.own, runNumber: 1, ...handOver }));
    const says = (attempt: ClaimedAttempt, ...records: NewRecord[]) =>
      writeBatch(stage, session, { records, attempt }).then((result) => (result.ok ? 'stored' : result.failure.code));
    expect(await written(session, old)).toEqual(fenced);
    expect(await says(old, control('upgrade-required'))).toBe('stored');
    expect(await says(old, control('pending-version'))).toBe('stored');
    expect(await says(old, control('upgrade-required'), data)).toBe('append_fenced');
    expect(await says(old, control('turn-complete'))).toBe('append_fenced');
    expect(await says({ ...old, attempt: 2 }, control('upgrade-required'))).toBe('append_fenced');
    await life.endRun({ ...session.own, runNumber: 1, outcome: outcome('COMPLETED') });
    expect(await says(old, control('upgrade-required'))).toBe('append_fenced');
  });

  test('go on after the end of the session until the run ends, for the run that is alone entitled', async () => {
    const session = await life.open();
    const attempt = await claim(session, 1);
    await life.close({ ...session.own, reason: null, callingRunId: null });
    expect(await written(session, attempt)).toEqual(stored);
    expect(await written(session, null)).toEqual(closed);
    const toIn = await stage.append(session, 'm', { stream: 'in', attempt });
    expect(toIn).toMatchObject({ failure: { code: 'append_to_closed' } });
    await life.endRun({ ...session.own, runNumber: 1, outcome: outcome('COMPLETED') });
    expect(await written(session, attempt)).toEqual(fenced);
  });

  test('concern its own session: elsewhere, and on what runs read, it is like any other key', async () => {
    const [session, other] = [await life.open(), await life.open()];
    const attempt = await claim(session, 1);
    await claim(session, 2);
    expect(await written(other, attempt)).toEqual(stored);
    expect(await stage.seqOf(session, 'm', { stream: 'in', attempt })).toBe(0);
  });

  test('that race a claim, a hand-over or an end leave nothing behind them', async () => {
    const moves: ((session: OpenSession) => Promise<unknown>)[] = [
      (session) => claim(session, 2),
      (session) => life.endRun({ ...session.own, runNumber: 1, outcome: outcome('COMPLETED') }),
      (session) =>
        life.endAndContinue({
          ...session.own,
          runNumber: 1,
          requestKey: 'k',
          reason: 'manual',
          externalDeploymentId: null,
        }),
    ];
    for (let round = 0; round < 60; round += 1) {
      const session = await life.open();
      const attempt = await claim(session, 1);
      const writes = Array.from({ length: 6 }, () => writeBatch(stage, session, { records: [data], attempt }));
      await moves[round % moves.length]?.(session);
      const { out } = await rowsOf(suite.database, session.view.sessionId);
      const results = await Promise.all(writes);
      expect((await rowsOf(suite.database, session.view.sessionId)).out['next']).toBe(out['next']);
      expect(results.filter(({ ok }) => ok)).toHaveLength(out['next'] as number);
    }
  });
});
