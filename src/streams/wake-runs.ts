/** A record that was stored on a dead run has Temporal take a signal before its append is acknowledged (I5). */
import { inTime } from '../deadline.ts';
import { Unavailable } from '../domain/failure.ts';
import type { Environment, SessionId } from '../domain/ids.ts';
import { takenWakesMax, wakeDeadlineMs } from '../domain/limits.ts';
import { RecentMap } from '../recent-map.ts';
import type { SessionOrders, SessionStore } from '../sessions/ports.ts';

export interface DeadRun {
  readonly environment: Environment;
  readonly sessionId: SessionId;
  readonly runNumber: number;
}

export interface RunWaker {
  /**
   * Resolves when Temporal has taken the wake, now or before, and otherwise after two seconds: the flag in the row
   * stands, and the reconciler honours it (V4).
   */
  wake(run: DeadRun): Promise<void>;
}

export interface RunWakerDeps {
  readonly sessions: Pick<SessionStore, 'findById'>;
  readonly orders: Pick<SessionOrders, 'wake'>;
  /** Told when a wake is left to the reconciler. */
  readonly onUndelivered: (run: DeadRun, cause: unknown) => void;
}

export function runWaker(deps: RunWakerDeps): RunWaker {
  /** Greatest run number per session whose wake Temporal has taken. Only ever saves a signal. */
  const taken = new RecentMap<SessionId, number>(takenWakesMax);
  const sending = new Map<string, Promise<void>>();

  async function send({ environment, sessionId, runNumber }: DeadRun): Promise<void> {
    const session = await deps.sessions.findById(environment.id, sessionId);
    if (session === null) throw new Error(`session ${sessionId} has no row`);
    await deps.orders.wake({ ...session, environment }, runNumber);
    taken.set(sessionId, runNumber);
  }

  return {
    async wake(run) {
      if ((taken.get(run.sessionId) ?? 0) >= run.runNumber) return;
      const key = `${run.sessionId}/${run.runNumber}`;
      const sent = sending.get(key) ?? send(run).finally(() => sending.delete(key));
      sending.set(key, sent);
      const late = () => new Unavailable('temporal');
      await inTime(sent, wakeDeadlineMs, late).catch((cause: unknown) => deps.onUndelivered(run, cause));
    },
  };
}
