/** How far runs have consumed `in`, on both databases: who may move it, which way, and what the next claim is told. */
import { beforeAll, expect, test } from 'vitest';
import type { ClaimedAttempt } from '../../src/domain/attempt.ts';
import type { RunId } from '../../src/domain/ids.ts';
import type { RunStore } from '../../src/sessions/ports.ts';
import { sqlRunStore } from '../../src/storage/run-store.ts';
import { sqlStreamStore } from '../../src/storage/streams/sql-stream-store.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import { appendRecord, type Lifecycle, lifecycleOf, type OpenSession, outcome, rowsOf } from './lifecycle.ts';

describeEachDatabase('the cursor', (suite) => {
  let life: Lifecycle;
  let runs: RunStore;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
    runs = sqlRunStore(suite.database);
  });

  const environmentOf = ({ order }: OpenSession) => order.environment.id;

  async function claim(session: OpenSession, attempt: number): Promise<ClaimedAttempt & { cursor: number }> {
    const claimed = await runs.claim({ environmentId: environmentOf(session), runId: session.runId, attempt });
    if (claimed === null || claimed === 'refused') throw new Error('the claim was refused');
    const { sessionId, runNumber, cursor } = claimed;
    return { sessionId, runId: session.runId, runNumber, attempt, cursor };
  }

  const commit = (session: OpenSession, seq: number, attempt: ClaimedAttempt | null) =>
    runs.commitCursor({ environmentId: environmentOf(session), runId: session.runId, attempt, seq });

  async function openWith(messages: number): Promise<OpenSession> {
    const session = await life.open();
    for (let count = 0; count < messages; count += 1) await appendRecord(life.database, session.own.sessionId);
    return session;
  }

  const turnComplete = (session: OpenSession, seq: number, attempt: ClaimedAttempt | null) =>
    sqlStreamStore(life.database).append(
      [
        {
          sessionId: session.own.sessionId,
          stream: 'out',
          records: [
            {
              headers: [
                ['trigger-control', 'turn-complete'],
                ['session-in-event-id', String(seq)],
              ],
              body: '',
            },
          ],
          partId: null,
          matchSeq: null,
          attempt,
        },
      ],
      true,
    );

  const gateOf = async (session: OpenSession) => (await rowsOf(life.database, session.own.sessionId)).gate;

  test('moves forward only, as far as there are records, and ends a row of barren runs', async () => {
    const session = await openWith(3);
    const attempt = await claim(session, 1);
    expect(attempt.cursor).toBe(0);
    await life.database.query('UPDATE gates SET barren = 2 WHERE session_id = $1', [session.own.sessionId]);
    expect(await commit(session, 1, attempt)).toBe(2);
    expect(await commit(session, 0, attempt)).toBe(2);
    expect(await gateOf(session)).toMatchObject({ consumed: 2, barren: 0 });
    expect(await commit(session, 99, null)).toBe(3);
    expect((await claim(session, 2)).cursor).toBe(3);
  });

  test('moves with a turn-complete of whoever may write, in the same transaction', async () => {
    const session = await openWith(3);
    const first = await claim(session, 1);
    await turnComplete(session, 0, first);
    expect(await gateOf(session)).toMatchObject({ consumed: 1 });
    const second = await claim(session, 2);
    expect(await turnComplete(session, 2, first)).toMatchObject([{ outcome: { kind: 'fenced' } }]);
    expect(await gateOf(session)).toMatchObject({ consumed: 1 });
    await turnComplete(session, 1, second);
    expect(await gateOf(session)).toMatchObject({ consumed: 2 });
  });

  test('is moved by no attempt that has lost its place, by no other run, and by nobody after the end (V8, V14)', async () => {
    const session = await openWith(2);
    const first = await claim(session, 1);
    const second = await claim(session, 2);
    expect(await commit(session, 1, first)).toBe('refused');
    expect(await commit(session, 1, { ...second, runId: 'run_other' as RunId })).toBe('refused');
    await life.endAndContinue({
      ...session.own,
      runNumber: 1,
      requestKey: 'k',
      reason: 'manual',
      externalDeploymentId: null,
    });
    expect(await commit(session, 1, second)).toBe('refused');
    expect(await commit(session, 1, null)).toBe('refused');
    await life.endRun({ ...session.own, runNumber: 1, outcome: outcome('COMPLETED') });
    expect(await commit(session, 1, second)).toBe('refused');
    expect(await gateOf(session)).toMatchObject({ consumed: 0, run_no: 2 });
  });

  test('of a run that is nowhere, or in another environment, is nothing', async () => {
    const session = await openWith(1);
    expect(await commit({ ...session, runId: 'run_none' as RunId }, 0, null)).toBeNull();
    const order = { ...session.order, environment: { id: 'env_other', name: 'dev' } };
    expect(await commit({ ...session, order } as unknown as OpenSession, 0, null)).toBeNull();
  });
});
