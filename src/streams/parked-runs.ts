/** Whether the run that is to meet a record waits for a worker of the version that it is locked to. */
import { Unavailable } from '../domain/failure.ts';
import type { Environment, EnvironmentName, SessionId } from '../domain/ids.ts';
import { locatedSessionsMax } from '../domain/limits.ts';
import type { TriggerConfig } from '../domain/trigger-config.ts';
import { RecentMap } from '../recent-map.ts';
import type { RunStore, SessionStore } from '../sessions/ports.ts';

export interface UnclaimedRun {
  readonly environment: Environment;
  readonly sessionId: SessionId;
  /** Null: the run after the current one, which is being triggered. */
  readonly runNumber: number | null;
}

export interface ParkedRunsDeps {
  readonly sessions: Pick<SessionStore, 'findById'>;
  readonly runs: Pick<RunStore, 'find'>;
  readonly isPendingVersion: (task: {
    readonly environment: EnvironmentName;
    readonly taskIdentifier: string;
    readonly options: Pick<TriggerConfig, 'queue' | 'machine' | 'region' | 'lockToVersion'>;
  }) => Promise<boolean>;
}

/** A hint beside an answer: what cannot be found out in time is not said. */
export function parkedRuns(deps: ParkedRunsDeps): (run: UnclaimedRun) => Promise<boolean> {
  /** Runs that are locked to no version: that never changes, and a plain Temporal worker never claims. */
  const unlocked = new RecentMap<string, true>(locatedSessionsMax);

  async function isParked(run: UnclaimedRun, name: string): Promise<boolean> {
    const session = await deps.sessions.findById(run.environment.id, run.sessionId);
    if (session === null) return false;
    const isCurrent = session.currentRun.number === run.runNumber;
    const current = isCurrent ? await deps.runs.find(run.environment.id, session.currentRun.id) : null;
    const options = current?.options ?? session.triggerConfig;
    if (options.lockToVersion === undefined && isCurrent) unlocked.set(name, true);
    const { taskIdentifier } = session;
    return deps.isPendingVersion({ environment: run.environment.name, taskIdentifier, options });
  }

  return async (run) => {
    const name = `${run.sessionId}/${run.runNumber}`;
    if (unlocked.has(name)) return false;
    try {
      return await isParked(run, name);
    } catch (thrown) {
      if (thrown instanceof Unavailable) return false;
      throw thrown;
    }
  };
}
