/** Temporal's store is wiped and the database kept: every open session answers, closes, expires and wakes again. */
import { expect, test, vi } from 'vitest';
import { openPostgres } from '../../src/storage/postgres.ts';
import type { Answer } from '../harness/api.ts';
import { openSite, startTestServer } from '../harness/server.ts';
import { startTestTasks } from '../harness/tasks.ts';
import { startPrivateTemporal } from '../harness/temporal.ts';
import { brokenInvariants, type Rows, rowsOf } from '../storage/lifecycle.ts';

const inTime = { timeout: 90_000, interval: 100 };
const kinds = ['answers', 'wakes', 'hands over', 'closes', 'expires'] as const;
type Kind = (typeof kinds)[number];
/** Long enough for the wipe to come first. */
const lifetimeMs = 20_000;

interface Lost {
  readonly id: string;
  readonly runId: string;
  readonly externalId: string;
}

async function openLost() {
  const temporal = await startPrivateTemporal();
  const site = await openSite({ temporalAddress: temporal.address });
  const server = await startTestServer({ site, environment: { RECONCILE_SECONDS: '1' } });
  const tasks = await startTestTasks({ site, server });
  const database = openPostgres({ url: site.databaseUrl, poolSize: 2, onProblem: () => undefined });
  const { api } = server;
  return {
    temporal,
    tasks,
    rows: (id: string): Promise<Rows> => rowsOf(database, id),
    create: (externalId: string, taskIdentifier: string) =>
      api.create({
        externalId,
        taskIdentifier,
        ...(externalId.startsWith('expires') ? { expiresAt: new Date(Date.now() + lifetimeMs).toISOString() } : {}),
      }),
    runWhen: api.runWhen,
    /** What a caller asks of its session after the loss; a server that has lost its engine for a moment says 503. */
    ask: {
      answers: ({ externalId }: Lost) => api.create({ externalId }),
      wakes: ({ id }: Lost) => api.call(`/realtime/v1/sessions/${id}/in/append`, { method: 'POST', body: 'm' }),
      'hands over': ({ id, runId }: Lost) =>
        api.call(`/api/v1/sessions/${id}/end-and-continue`, {
          method: 'POST',
          body: { callingRunId: runId, reason: 'manual' },
          headers: { 'x-trigger-request-idempotency-key': `of ${id}` },
        }),
      closes: ({ id }: Lost) => api.call(`/api/v1/sessions/${id}/close`, { method: 'POST', body: { reason: 'over' } }),
      // By itself, without any request.
      expires: ({ id }: Lost) => api.call(`/api/v1/sessions/${id}`),
    } satisfies Record<Kind, (session: Lost) => Promise<Answer>>,
    async stop() {
      await tasks.stop();
      await server.stop();
      await database.close();
      await site.remove();
      await temporal.stop();
    },
  };
}

/** What has become of the session; whichever way it was lost, the row says so in the end. */
const outcomes: Readonly<Record<Kind, object>> = {
  answers: { closed_at: null, expired_at: null },
  // A run has begun that was told of the record; a quick one is over at once.
  wakes: { began: 1, next: 1, closed_at: null },
  'hands over': { live: true, run_no: 2 },
  closes: { live: false, closed_at: expect.any(Date), closed_reason: 'over' },
  expires: { live: false, expired_at: expect.any(Date), closed_at: null },
};

test('idle ones and running ones, by request, by the reconciler, or by time', { timeout: 280_000 }, async () => {
  const lost = await openLost();
  try {
    const sessions = await Promise.all(
      kinds.flatMap((kind) =>
        (['idle', 'running'] as const).map(async (state) => {
          const { body } = await lost.create(`${kind}, ${state}`, state === 'running' ? 'hold' : 'quick');
          const isThere = (run: Answer['body']) => (state === 'running' ? run.isExecuting : run.isCompleted);
          await lost.runWhen(body.runId, isThere);
          return { kind, state, session: body as Lost };
        }),
      ),
    );
    await lost.temporal.wipe();
    await Promise.all(
      sessions.map(async ({ kind, session }) => {
        await vi.waitFor(async () => expect((await lost.ask[kind](session)).status).toBe(200), inTime);
        await vi.waitFor(async () => expect((await lost.rows(session.id)).gate).toMatchObject(outcomes[kind]), inTime);
      }),
    );
    for (const { kind, state, session } of sessions) {
      const rows = await lost.rows(session.id);
      expect({ kind, state, broken: brokenInvariants(rows) }).toEqual({ kind, state, broken: [] });
      // What the lost store was executing has ended, and no run executed twice.
      await vi.waitFor(async () => {
        const [first] = (await lost.rows(session.id)).runs;
        expect(first).toMatchObject({ status: state === 'running' ? 'SYSTEM_FAILURE' : 'COMPLETED' });
      }, inTime);
      const runs = lost.tasks.of(session.id).map(({ runNumber }) => runNumber);
      expect(runs).toEqual([...new Set(runs)]);
    }
  } finally {
    await lost.stop();
  }
});
