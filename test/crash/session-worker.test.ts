/**
 * A session worker is killed, or paused and comes back late, at each step of a transition, and the task is redone
 * elsewhere. Every time: the rows that there would be without the fault, each run executed once, nothing phantom.
 */
import { describe, expect, vi } from 'vitest';
import { appendRecord } from '../storage/lifecycle.ts';
import { storyTest } from './story.ts';

const inTime = { timeout: 30_000, interval: 50 };
const faults = ['before=kill', 'after=kill', 'before=pause', 'after=pause'] as const;

// Most of a story is waiting for timeouts, so several are told at once.
describe.concurrent('a session worker that dies, or is paused and comes back', () => {
  for (const fault of faults) {
    storyTest(`while a session is created (V5, V6): ${fault}`, async (story) => {
      const victim = await story.worker(`persistSession:${fault}`);
      const creating = story.createUntilAnswered({ externalId: `create ${fault}` });
      const release = await story.takeOver(victim);
      const { status, body } = await creating;
      expect(status).toBe(201);
      await vi.waitFor(() => expect(story.executionsOf(body.id)).toEqual([[1, 1]]), inTime);
      release();
      const { gate, runs } = await story.settled(body.id);
      expect(runs).toMatchObject([{ id: body.runId, status: 'QUEUED', attempts: 1 }]);
      expect(gate).toMatchObject({ run_no: 1, live: true });
      expect(story.executionsOf(body.id)).toEqual([[1, 1]]);
    });

    storyTest(`while the end of a run is recorded, with a record unread (V5): ${fault}`, async (story) => {
      const victim = await story.worker(`recordRunEnd:${fault}`);
      const { body } = await story.createUntilAnswered({ externalId: `end ${fault}`, taskIdentifier: 'deaf' });
      await story.server.api.runWhen(body.runId, (run) => run.startedAt !== undefined);
      await appendRecord(story.database, body.id);
      const release = await story.takeOver(victim);
      const secondStatus = async () => (await story.rows(body.id)).runs[1]?.['status'];
      await vi.waitFor(async () => expect(await secondStatus()).toBe('COMPLETED'), inTime);
      release();
      const { gate, runs } = await story.settled(body.id);
      expect(runs.map((run) => [run['no'], run['status'], run['reason']])).toEqual([
        [1, 'COMPLETED', 'initial'],
        [2, 'COMPLETED', 'continuation'],
      ]);
      expect(gate).toMatchObject({ run_no: 2, live: false, barren: 0 });
      expect(story.executionsOf(body.id)).toEqual([
        [1, 1],
        [2, 1],
      ]);
    });

    storyTest(`while a dead run gets its successor: ${fault}`, async (story) => {
      const victim = await story.worker(`triggerRun:${fault}`);
      const externalId = `ensure ${fault}`;
      const first = await story.createUntilAnswered({ externalId, taskIdentifier: 'quick' });
      await story.server.api.runWhen(first.body.runId, (run) => run.isCompleted);
      const creating = story.createUntilAnswered({ externalId });
      const release = await story.takeOver(victim);
      const { status, body } = await creating;
      expect([status, body.isCached]).toEqual([200, true]);
      await story.server.api.runWhen(body.runId, (run) => run.isCompleted);
      release();
      const { runs } = await story.settled(body.id);
      expect(runs.map((run) => [run['id'], run['status']])).toEqual([
        [first.body.runId, 'COMPLETED'],
        [body.runId, 'COMPLETED'],
      ]);
      expect(story.executionsOf(body.id)).toEqual([
        [1, 1],
        [2, 1],
      ]);
    });
  }

  for (const fault of ['after=kill', 'after=pause'] as const) {
    storyTest(`and a cancellation meets the redone task (V13): ${fault}`, async (story) => {
      const victim = await story.worker(`persistSession:${fault}`);
      const { body } = await story.createUntilAnswered({ externalId: `cancel ${fault}` });
      await victim.line(/failpoint/);
      // The row is there and its run is not yet in Temporal: the signal comes before the workflow knows the run.
      const canceling = story.server.api.cancel(body.runId);
      const release = await story.takeOver(victim);
      expect(await canceling).toMatchObject({ status: 200, body: { id: body.runId } });
      const run = await story.server.api.runWhen(body.runId, ({ isCompleted }) => isCompleted);
      expect(run).toMatchObject({ status: 'CANCELED', isCancelled: true });
      release();
      expect((await story.settled(body.id)).gate).toMatchObject({ run_no: 1, live: false });
      expect((await story.server.api.session(body.id)).body).toMatchObject({ closedAt: null, currentRunId: null });
    });
  }
});
