/** How a run can end. */
import { isCompleted, isExecuting, type Stage } from '../../workflows/stage.ts';
import { type Execution, until, untilAtRest } from '../../workflows/wait.ts';
import { openIdle, type Shape } from './shape.ts';

async function openUntilOver(stage: Stage, task: string, triggerConfig: object = {}): Promise<Execution> {
  const session = await stage.open(task, { triggerConfig: { basePayload: {}, ...triggerConfig } });
  await stage.api.runWhen(session.runId, isCompleted);
  await untilAtRest(stage.client, session);
  return session;
}

export const runShapes = {
  'run-completed': {
    shows: ['local persistSession', 'ACTIVITY_TASK_COMPLETED', 'local recordRunEnd'],
    drive: (stage) => openIdle(stage),
  },
  'run-failed-after-attempts': {
    shows: ['ACTIVITY_TASK_FAILED', 'local recordRunEnd'],
    drive: (stage) => openUntilOver(stage, 'fail', { maxAttempts: 2 }),
  },
  'run-failed-for-good': {
    shows: ['ACTIVITY_TASK_FAILED', 'local recordRunEnd'],
    drive: (stage) => openUntilOver(stage, 'abort'),
  },
  'run-completed-after-a-failed-attempt': {
    shows: ['ACTIVITY_TASK_COMPLETED', 'local recordRunEnd'],
    drive: (stage) => openUntilOver(stage, 'flaky'),
  },
  'run-crashed-by-heartbeat-timeout': {
    shows: ['ACTIVITY_TASK_TIMED_OUT', 'local recordRunEnd'],
    drive: (stage) => openUntilOver(stage, 'silent', { maxAttempts: 1 }),
  },
  'run-past-its-max-duration': {
    shows: ['ACTIVITY_TASK_FAILED', 'local recordRunEnd'],
    drive: (stage) => openUntilOver(stage, 'hold', { maxDuration: 1 }),
  },
  'run-expired-in-its-queue': {
    shows: ['ACTIVITY_TASK_TIMED_OUT', 'local recordRunEnd'],
    drive: (stage) => openUntilOver(stage, 'nobody', { ttl: 1 }),
  },
  'run-live': {
    shows: ['ACTIVITY_TASK_SCHEDULED'],
    async drive(stage) {
      const session = await stage.open('hold', { triggerConfig: { basePayload: {}, concurrencyKey: 'tenant 7' } });
      await stage.api.runWhen(session.runId, isExecuting);
      await untilAtRest(stage.client, session);
      return session;
    },
  },
  'run-cancelled-while-running': {
    shows: ['signal cancelRun', 'ACTIVITY_TASK_CANCEL_REQUESTED', 'ACTIVITY_TASK_CANCELED', 'local recordRunEnd'],
    async drive(stage) {
      const session = await stage.open('hold');
      await stage.api.runWhen(session.runId, isExecuting);
      await stage.api.cancel(session.runId);
      await untilAtRest(stage.client, session);
      return session;
    },
  },
  'run-cancelled-while-queued': {
    shows: ['signal cancelRun', 'ACTIVITY_TASK_CANCELED', 'local recordRunEnd'],
    async drive(stage) {
      const session = await stage.open('nobody');
      await stage.api.cancel(session.runId);
      await untilAtRest(stage.client, session);
      return session;
    },
  },
  'run-cancelled-while-silent': {
    shows: ['signal cancelRun', 'ACTIVITY_TASK_CANCEL_REQUESTED', 'ACTIVITY_TASK_TIMED_OUT', 'local recordRunEnd'],
    async drive(stage) {
      const session = await stage.open('silent', { triggerConfig: { basePayload: {}, maxAttempts: 1 } });
      await until(() => stage.own.silentRuns.has(session.runId), 'the silent run begins');
      await stage.api.cancel(session.runId);
      await stage.api.runWhen(session.runId, isCompleted);
      await untilAtRest(stage.client, session);
      return session;
    },
  },
} as const satisfies Record<string, Shape>;
