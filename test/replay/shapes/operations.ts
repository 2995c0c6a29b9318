/** What operators, other workflows and redone tasks do to a session. */
import { isExecuting, whileHeld } from '../../workflows/stage.ts';
import { until, untilAtRest, untilEnded } from '../../workflows/wait.ts';
import { openIdle, type Shape } from './shape.ts';

const adoptWorkflow = (sessionId: string, workflowId: string) =>
  ({ workflowId, taskQueue: 'perdure/sessions', args: [{ kind: 'adopt', sessionId }] }) as const;

export const operationShapes = {
  'signals-that-say-nothing': {
    shows: ['signal close', 'signal ensure', 'signal unheard-of', 'local closeSession', 'WORKFLOW_EXECUTION_COMPLETED'],
    async drive(stage) {
      const session = await openIdle(stage);
      const orders: readonly (readonly [string, ...unknown[]])[] = [
        ...['ensure', 'wake', 'endAndContinue', 'cancelRun', 'unheard-of'].flatMap(
          (name) => [[name], [name, null], [name, 'text'], [name, []], [name, { runNumber: '1', runId: 7 }]] as const,
        ),
        ...['expire', 'reschedule', 'poke'].flatMap(
          (name) => [[name], [name, null], [name, { any: 'thing' }]] as const,
        ),
        ['ensure', { runNumber: -1 }],
        ['wake', { runNumber: 1.5 }],
        ['cancelRun', { runId: 'run_of_nobody' }],
      ];
      for (const [name, ...args] of orders) await stage.signal(session, name, ...args);
      await stage.signal(session, 'close', 'text where an order should be');
      await untilEnded(stage.client, session);
      return session;
    },
  },
  'signals-during-a-local-activity': {
    shows: ['signal poke', 'local lookAtSession', 'ACTIVITY_TASK_SCHEDULED'],
    async drive(stage) {
      const session = await stage.open('hold');
      await stage.api.runWhen(session.runId, isExecuting);
      await whileHeld(stage, session, async () => {
        for (let sent = 0; sent < 5; sent += 1) await stage.signal(session, 'poke');
      });
      await untilAtRest(stage.client, session);
      return session;
    },
  },
  'tags-that-change': {
    shows: ['signal relabel', 'local core_patch', 'local lookAtLabels', 'UPSERT_WORKFLOW_SEARCH_ATTRIBUTES'],
    async drive(stage) {
      const session = await stage.open('hold', { tags: ['first'] });
      await stage.api.runWhen(session.runId, isExecuting);
      const body = { tags: ['second'] };
      await stage.api.call(`/api/v1/sessions/${session.externalId}`, { method: 'PATCH', body });
      await until(async () => {
        const { raw } = await stage.client.workflow.getHandle(session.workflowId).describe();
        const shown = raw.workflowExecutionInfo?.searchAttributes?.indexedFields?.['SessionTags']?.data;
        return new TextDecoder().decode(shown ?? new Uint8Array()).includes('second');
      }, 'the tags are shown');
      // Told again, it finds nothing new.
      await stage.signal(session, 'relabel');
      await untilAtRest(stage.client, session);
      return session;
    },
  },
  'task-redone-because-of-a-signal': {
    shows: ['signal close', 'refused UNHANDLED_COMMAND', 'local closeSession', 'local lookAtSession'],
    async drive(stage) {
      const session = await openIdle(stage);
      await whileHeld(stage, session, async () => {
        await stage.signal(session, 'close');
        await until(async () => {
          const { raw } = await stage.client.workflow.getHandle(session.workflowId).describe();
          return raw.pendingWorkflowTask?.startedTime;
        }, 'the close is under way');
        await stage.signal(session, 'poke');
      });
      await untilEnded(stage.client, session);
      return session;
    },
  },
  'taken-over-by-another-workflow': {
    shows: ['signal poke', 'local lookAtSession', 'WORKFLOW_EXECUTION_COMPLETED'],
    async drive(stage) {
      const session = await stage.open('hold', { expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
      const other = `${session.workflowId}-other`;
      await stage.client.workflow.start('session', adoptWorkflow(session.id, other));
      await until(async () => (await stage.rows(session)).gate['live'] === false, 'the take-over');
      await stage.signal(session, 'poke');
      await untilEnded(stage.client, session);
      return session;
    },
  },
  'adopted-alive-and-told-to-close': {
    shows: ['local adoptSession', 'UPSERT_WORKFLOW_SEARCH_ATTRIBUTES', 'local closeSession'],
    async drive(stage) {
      const session = await openIdle(stage);
      const other = `${session.workflowId}-other`;
      await stage.client.workflow.signalWithStart('session', {
        ...adoptWorkflow(session.id, other),
        signal: 'close',
        signalArgs: [{ reason: 'moved' }],
      });
      await untilEnded(stage.client, { workflowId: other });
      return { workflowId: other };
    },
  },
  'gone-from-the-start': {
    shows: ['local adoptSession', 'WORKFLOW_EXECUTION_COMPLETED'],
    async drive(stage) {
      const workflowId = 'session/dev/nobody';
      await stage.client.workflow.start('session', adoptWorkflow('session_of_nobody', workflowId));
      await untilEnded(stage.client, { workflowId });
      return { workflowId };
    },
  },
  'reconciler-round': {
    shows: ['local repairSessions', 'WORKFLOW_EXECUTION_COMPLETED'],
    async drive(stage) {
      const workflowId = 'reconcile-by-hand';
      await stage.client.workflow.start('reconcile', { workflowId, taskQueue: 'perdure/sessions' });
      await untilEnded(stage.client, { workflowId });
      return { workflowId };
    },
  },
} as const satisfies Record<string, Shape>;
