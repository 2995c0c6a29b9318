/**
 * Any program of writers, repeated and cut appends, trims, readers that are cut, resume and lag, over one database:
 * every reader is shown one order without a gap, every acknowledged record is in it, equal part ids have equal seqs,
 * and what everybody saw of each stream is what one plain list would have answered (I2).
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { concurrentLaw, counted } from '../../harness/counts.ts';
import { describeEachDatabase } from '../../harness/databases.ts';
import { brokenInvariants, type Lifecycle, lifecycleOf, type OpenSession, rowsOf } from '../../storage/lifecycle.ts';
import { openStage } from '../stage.ts';
import { contradictions } from './history.ts';
import { programStreams, programs, type StreamProcess, type WriterStep } from './program.ts';
import { type ProgramStage, runProgram } from './run-program.ts';
import { stageProcess } from './stage-process.ts';

const timeout = 300_000;

describeEachDatabase('any program of callers', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  const trimOf = (session: OpenSession): ProgramStage['trim'] => {
    const trimSql = 'UPDATE outs SET trimmed_before = greatest(trimmed_before, least($2, next)) WHERE session_id = $1';
    return async (before) => void (await suite.database.query(trimSql, [session.view.sessionId, before]));
  };

  test('is linearizable, with two processes where the database has room for them', { timeout }, async () => {
    const databases = suite.kind === 'postgres' ? [suite.database, suite.openAnother()] : [suite.database];
    const stages = await Promise.all(databases.map((database) => openStage(database)));
    const law = fc.asyncProperty(programs, async (program) => {
      const session = await life.open();
      const processes = stages.map((stage) => stageProcess(stage, session));
      const histories = await runProgram({ processes, trim: trimOf(session) }, program);
      for (const stream of programStreams) {
        expect({ stream, broken: contradictions(histories[stream]) }).toEqual({ stream, broken: [] });
      }
      expect(brokenInvariants(await rowsOf(suite.database, session.view.sessionId))).toEqual([]);
      for (const stage of stages) expect(stage.streams.usage()).toEqual({ tails: 0, watched: 0 });
    });
    await fc.assert(law, concurrentLaw(counted(40, 400)));
  });

  describe('is found not to be, when a process', () => {
    const step: WriterStep = { kind: 'append', stream: 'in', sharedPart: 0, textLength: 9, cuts: 0 };
    const look: WriterStep = { kind: 'read', stream: 'in', back: 0 };

    const brokenOn = async (steps: readonly WriterStep[], spoil: (process: StreamProcess) => StreamProcess) => {
      const [stage, session] = [await openStage(suite.database), await life.open()];
      const processes = [spoil(stageProcess(stage, session))];
      const reader = { stream: 'in' as const, isSlow: false, cutAfter: 0 };
      const histories = await runProgram({ processes, trim: null }, { writers: [steps], readers: [reader] });
      return contradictions(histories.in);
    };

    test('does nothing wrong: no', async () => {
      expect(await brokenOn([step, look, step, { ...step, sharedPart: 1 }, look], (process) => process)).toEqual([]);
    });

    test('forgets part ids', async () => {
      let calls = 0;
      const spoil = (process: StreamProcess): StreamProcess => ({
        ...process,
        append: (stream, { partId, text }, cut) =>
          process.append(stream, { partId: `${partId} ${(calls += 1)}`, text }, cut),
      });
      expect(await brokenOn([step, step], spoil)).not.toEqual([]);
    });

    test('answers reads from before the last append', async () => {
      const spoil = (process: StreamProcess): StreamProcess => {
        let last: Awaited<ReturnType<StreamProcess['read']>> | null = null;
        return {
          ...process,
          async read(stream, from) {
            const [stale, fresh] = [last, await process.read(stream, from)];
            last = fresh;
            return stale?.next === 1 ? stale : fresh;
          },
        };
      };
      const own: WriterStep = { ...step, sharedPart: null };
      expect(await brokenOn([own, look, own, look, own], spoil)).toMatchObject([expect.stringContaining('cannot be')]);
    });

    test('leaves a record out of a tail', async () => {
      const spoil = (process: StreamProcess): StreamProcess => ({
        ...process,
        follow: (stream, order) =>
          process.follow(stream, {
            ...order,
            onRecords: (records) => order.onRecords(records.filter(({ seq }) => seq !== 1)),
          }),
      });
      const own: WriterStep = { ...step, sharedPart: null };
      expect(await brokenOn([own, own, own], spoil)).toContain('a reader was shown 2 instead of 1');
    });
  });
});
