/** A history that grew long, and a store that was lost. */
import type { PrivateTemporal } from '../../harness/private-temporal.ts';
import { isCompleted, isExecuting, type Stage } from '../../workflows/stage.ts';
import { outgrow } from '../../workflows/suggesting-temporal.ts';
import { type Execution, until, untilAtRest, untilEnded } from '../../workflows/wait.ts';
import { openIdle, runIdOf } from './shape.ts';

export interface RecoveryShape {
  readonly shows: readonly string[];
  drive(stage: Stage, temporal: PrivateTemporal): Promise<Execution>;
}

export const recoveryShapes = {
  'continued-as-new': {
    shows: ['signal poke', 'TIMER_CANCELED', 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW'],
    async drive(stage) {
      const session = await openIdle(stage, { expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
      return outgrow(stage, session);
    },
  },
  'resumed-then-continued-and-closed': {
    shows: ['local lookAtSession', 'TIMER_STARTED', 'local triggerRun', 'local closeSession', 'TIMER_CANCELED'],
    async drive(stage) {
      const session = await openIdle(stage, { expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
      await outgrow(stage, session);
      await stage.api.create({ externalId: session.externalId, taskIdentifier: 'quick' });
      const second = await until(() => runIdOf(stage, session, 2), 'the second run');
      await stage.api.runWhen(second, isCompleted);
      await stage.signal(session, 'close', { reason: 'done' });
      await untilEnded(stage.client, session);
      return session;
    },
  },
  'adopted-after-the-store-was-lost': {
    shows: ['signal cancelRun', 'local adoptSession', 'signal ensure', 'local triggerRun'],
    async drive(stage, temporal) {
      const session = await stage.open('hold');
      await stage.api.runWhen(session.runId, isExecuting);
      await temporal.wipe();
      // Any order finds the workflow gone and starts it again; the lost run is over, so the next create gets a new one.
      await until(async () => (await stage.api.cancel(session.runId)).status === 200, 'the order to be taken');
      await stage.api.create({ externalId: session.externalId, taskIdentifier: 'hold' });
      const second = await until(() => runIdOf(stage, session, 2), 'the second run');
      await stage.api.runWhen(second, isExecuting);
      await untilAtRest(stage.client, session);
      return session;
    },
  },
} as const satisfies Record<string, RecoveryShape>;
