/** How a session ends. */
import { isExecuting, type OpenedSession, type Stage } from '../../workflows/stage.ts';
import { untilAtRest, untilEnded } from '../../workflows/wait.ts';
import { openIdle, type Shape } from './shape.ts';

const completed = 'WORKFLOW_EXECUTION_COMPLETED';
const status = 'UPSERT_WORKFLOW_SEARCH_ATTRIBUTES';

/** After the run has begun or ended, also on a busy machine. */
const shortlyS = 3;
const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

async function openRunning(stage: Stage, task: string, changes?: Readonly<Record<string, unknown>>) {
  const session = await stage.open(task, changes);
  await stage.api.runWhen(session.runId, isExecuting);
  return session;
}

async function ended(stage: Stage, session: OpenedSession): Promise<OpenedSession> {
  await untilEnded(stage.client, session);
  return session;
}

export const endingShapes = {
  'closed-while-idle': {
    shows: ['signal close', 'local closeSession', status, completed],
    async drive(stage) {
      const session = await openIdle(stage);
      await stage.signal(session, 'close', { reason: 'done' });
      return ended(stage, session);
    },
  },
  'closed-while-running-then-run-ends': {
    shows: ['signal close', 'TIMER_STARTED', 'ACTIVITY_TASK_COMPLETED', 'TIMER_CANCELED', completed],
    async drive(stage) {
      const session = await openRunning(stage, 'told');
      await stage.signal(session, 'close', { reason: 'done' });
      await untilAtRest(stage.client, session);
      await stage.own.tell(session.runId);
      return ended(stage, session);
    },
  },
  'closed-by-its-own-run': {
    shows: ['signal close', 'local closeSession', 'ACTIVITY_TASK_COMPLETED', completed],
    async drive(stage) {
      const session = await openRunning(stage, 'told');
      await stage.signal(session, 'close', { reason: 'done', callingRunId: session.runId });
      await stage.own.tell(session.runId);
      return ended(stage, session);
    },
  },
  'closed-and-grace-over': {
    shows: ['signal close', 'TIMER_FIRED', 'ACTIVITY_TASK_CANCEL_REQUESTED', 'ACTIVITY_TASK_CANCELED', completed],
    async drive(stage) {
      const session = await openRunning(stage, 'hold');
      await stage.signal(session, 'close', { reason: 'done' });
      return ended(stage, session);
    },
  },
  'expired-while-idle': {
    shows: ['TIMER_FIRED', 'local expireSession', status, completed],
    drive: async (stage) => ended(stage, await openIdle(stage, { expiresAt: inSeconds(shortlyS) })),
  },
  'expired-with-a-live-run': {
    shows: ['TIMER_FIRED', 'local expireSession', status, 'ACTIVITY_TASK_CANCELED', completed],
    drive: async (stage) => ended(stage, await openRunning(stage, 'hold', { expiresAt: inSeconds(shortlyS) })),
  },
  'rescheduled-to-expire-sooner': {
    shows: ['signal reschedule', 'TIMER_CANCELED', 'TIMER_FIRED', 'local expireSession', completed],
    async drive(stage) {
      const session = await openRunning(stage, 'told', { expiresAt: inSeconds(3_600) });
      await stage.api.create({
        externalId: session.externalId,
        taskIdentifier: 'told',
        expiresAt: inSeconds(shortlyS),
      });
      await stage.own.tell(session.runId);
      return ended(stage, session);
    },
  },
  'rescheduled-to-expire-later': {
    shows: ['signal reschedule', 'TIMER_CANCELED', 'TIMER_STARTED'],
    async drive(stage) {
      const session = await openRunning(stage, 'hold', { expiresAt: inSeconds(3_600) });
      await stage.api.create({ externalId: session.externalId, taskIdentifier: 'hold', expiresAt: inSeconds(7_200) });
      await untilAtRest(stage.client, session);
      return session;
    },
  },
  'expiry-given-to-a-session-without': {
    shows: ['signal reschedule', 'TIMER_STARTED', 'local expireSession', completed],
    async drive(stage) {
      const session = await openRunning(stage, 'told');
      await stage.api.create({
        externalId: session.externalId,
        taskIdentifier: 'told',
        expiresAt: inSeconds(shortlyS),
      });
      await stage.own.tell(session.runId);
      return ended(stage, session);
    },
  },
} as const satisfies Record<string, Shape>;
