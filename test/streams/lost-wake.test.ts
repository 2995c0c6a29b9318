/**
 * I5 and I1 where they are decided: appends of one process race the ends of runs that another one records. Whoever gets
 * the gate first, the record meets a run: the end of the old one starts a continuation, or the append has it woken.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { newRunId } from '../../src/sessions/new-ids.ts';
import type { Transitions } from '../../src/sessions/ports.ts';
import { sqlRunStore } from '../../src/storage/run-store.ts';
import { sqlTransitions } from '../../src/storage/transitions/sql-transitions.ts';
import { counted } from '../harness/counts.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import {
  brokenInvariants,
  gateOf,
  type Lifecycle,
  lifecycleOf,
  type OpenSession,
  outcome,
  rowsOf,
} from '../storage/lifecycle.ts';
import { openStage, type StreamStage } from './stage.ts';

interface Contest {
  readonly stage: StreamStage;
  /** As a session worker elsewhere applies them. */
  readonly worker: Transitions;
  readonly claim: (session: OpenSession, runId: OpenSession['runId']) => Promise<unknown>;
  /** How often each side was first at the gate. */
  readonly won: { append: number; end: number };
  /** Head start of the ends in milliseconds, negative for appends: whoever has won gives the other a little more. */
  headStartMs: number;
}

const sessionsAtOnce = 8;

const jitterMs = 4;
const givenMs = 0.5;

/** @returns id of the next run, which is live and has not claimed yet: it will find the record */
async function race(contest: Contest, session: OpenSession, run: { id: OpenSession['runId']; number: number }) {
  const { stage, worker, won } = contest;
  await contest.claim(session, run.id);
  const own = { ...session.own, scheduled: run.number, runNumber: run.number };
  const headStartMs = contest.headStartMs + (Math.random() - 0.5) * jitterMs;
  const [, ended] = await Promise.all([
    sleep(Math.max(0, headStartMs)).then(() => stage.seqOf(session, `met after ${run.number}`)),
    sleep(Math.max(0, -headStartMs)).then(() => worker.endRun({ ...own, outcome: outcome('COMPLETED') })),
  ]);
  const isWoken = stage.wakes.includes(`${session.view.sessionId}/${run.number}`);
  won[isWoken ? 'end' : 'append'] += 1;
  contest.headStartMs += isWoken ? -givenMs : givenMs;
  const next = isWoken ? gateOf(await worker.continueRun(own)) : gateOf(ended);
  expect(next).toMatchObject({ runNumber: run.number + 1, live: true });
  return { id: next.unscheduled?.id as OpenSession['runId'], number: next.runNumber };
}

describeEachDatabase('an append that races the end of a run', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  test('always leaves its record with a run, and never with two', { timeout: 600_000 }, async () => {
    const elsewhere = suite.kind === 'postgres' ? suite.openAnother() : suite.database;
    const runs = sqlRunStore(elsewhere);
    const contest: Contest = {
      stage: await openStage(suite.database),
      worker: sqlTransitions(elsewhere, newRunId),
      claim: ({ order }, runId) => runs.claim({ environmentId: order.environment.id, runId, attempt: 1 }),
      won: { append: 0, end: 0 },
      headStartMs: 0,
    };
    const rounds = (suite.kind === 'postgres' ? counted(800, 10_000) : counted(400, 2_000)) / sessionsAtOnce;
    const raceOn = async (session: OpenSession) => {
      let run = { id: session.runId, number: 1 };
      for (let round = 0; round < rounds; round += 1) run = await race(contest, session, run);
      const rows = await rowsOf(suite.database, session.view.sessionId);
      expect(brokenInvariants(rows)).toEqual([]);
      expect(rows.records).toHaveLength(rounds);
      expect(rows.runs.filter(({ status }) => status === 'COMPLETED')).toHaveLength(rounds);
      expect(rows.runs).toHaveLength(rounds + 1);
    };
    await Promise.all(Array.from({ length: sessionsAtOnce }, async () => raceOn(await life.open())));
    // Both orders came often enough to be about a race.
    expect(Math.min(contest.won.append, contest.won.end)).toBeGreaterThan((rounds * sessionsAtOnce) / 50);
  });
});
