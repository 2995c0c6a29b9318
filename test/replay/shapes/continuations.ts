/** How a session gets from one run to the next, and where its runs are placed. */
import { startTestTasks } from '../../harness/tasks.ts';
import { appendRecord } from '../../storage/lifecycle.ts';
import { isCompleted, isExecuting, type OpenedSession, type Stage } from '../../workflows/stage.ts';
import { type Execution, until, untilAtRest } from '../../workflows/wait.ts';
import { openIdle, runIdOf, type Shape } from './shape.ts';

async function untilRunOver(stage: Stage, session: OpenedSession, number: number): Promise<Execution> {
  const runId = await until(() => runIdOf(stage, session, number), `run ${number} of ${session.externalId}`);
  await stage.api.runWhen(runId, isCompleted);
  await untilAtRest(stage.client, session);
  return session;
}

/** Run 1 of a `told` session is handed over; both runs are open when it resolves. */
async function handOver(stage: Stage, reason: 'manual' | 'upgrade'): Promise<OpenedSession> {
  const session = await stage.open('told');
  await stage.api.runWhen(session.runId, isExecuting);
  await stage.signal(session, 'endAndContinue', {
    runNumber: 1,
    reason,
    requestKey: 'hand-over',
    externalDeploymentId: reason === 'upgrade' ? 'deployment-2' : null,
  });
  await until(() => runIdOf(stage, session, 2), 'the second run');
  return session;
}

export const continuationShapes = {
  'continued-by-ensure': {
    shows: ['signal ensure', 'local triggerRun', 'ACTIVITY_TASK_COMPLETED'],
    async drive(stage) {
      const session = await openIdle(stage);
      await stage.api.create({ externalId: session.externalId, taskIdentifier: 'quick' });
      return untilRunOver(stage, session, 2);
    },
  },
  'continued-by-wake': {
    shows: ['signal wake', 'local triggerRun'],
    async drive(stage) {
      const session = await openIdle(stage);
      await stage.signal(session, 'wake', { runNumber: 1 });
      return untilRunOver(stage, session, 2);
    },
  },
  'continued-for-an-unread-record': {
    shows: ['local recordRunEnd', 'ACTIVITY_TASK_COMPLETED'],
    async drive(stage) {
      const session = await stage.open('told');
      await until(async () => (await stage.rows(session)).gate['began'] !== null, 'the run has begun');
      await appendRecord(stage.database, session.id);
      await stage.own.tell(session.runId);
      await until(() => runIdOf(stage, session, 2), 'the second run');
      await untilAtRest(stage.client, session);
      return session;
    },
  },
  'handed-over-with-both-runs-open': {
    shows: ['signal endAndContinue', 'local handOverRun', 'ACTIVITY_TASK_SCHEDULED'],
    async drive(stage) {
      const session = await handOver(stage, 'manual');
      await untilAtRest(stage.client, session);
      return session;
    },
  },
  'handed-over-and-both-runs-over': {
    shows: ['signal endAndContinue', 'local handOverRun', 'local recordRunEnd'],
    async drive(stage) {
      const session = await handOver(stage, 'upgrade');
      await stage.own.tell(session.runId);
      await untilRunOver(stage, session, 1);
      await stage.own.tell((await runIdOf(stage, session, 2)) ?? '');
      return untilRunOver(stage, session, 2);
    },
  },
  'queue-chosen-by-machine-and-region': {
    shows: ['local chooseTaskQueue', 'ACTIVITY_TASK_COMPLETED'],
    async drive(stage) {
      const placed = await startTestTasks({ site: stage.site, server: stage.server, machine: 'micro', region: 'eu' });
      try {
        return await openIdle(stage, { triggerConfig: { basePayload: {}, machine: 'micro', region: 'eu' } });
      } finally {
        await placed.stop();
      }
    },
  },
  'queue-of-machine-unserved': {
    shows: ['local chooseTaskQueue', 'ACTIVITY_TASK_COMPLETED'],
    drive: (stage) => openIdle(stage, { triggerConfig: { basePayload: {}, machine: 'large-2x' } }),
  },
  'version-pending-then-served': {
    shows: ['ACTIVITY_TASK_SCHEDULED', 'ACTIVITY_TASK_COMPLETED'],
    async drive(stage) {
      const session = await stage.open('quick', { triggerConfig: { basePayload: {}, lockToVersion: '2.0.0' } });
      const versioned = await startTestTasks({ site: stage.site, server: stage.server, version: '2.0.0' });
      try {
        return await untilRunOver(stage, session, 1);
      } finally {
        await versioned.stop();
      }
    },
  },
} as const satisfies Record<string, Shape>;
