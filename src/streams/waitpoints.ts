/** What `http` does with waitpoints: a run registers its wait, then holds a call open until it is woken. */
import type { ClaimedAttempt } from '../domain/attempt.ts';
import { fail, type Result, succeed } from '../domain/failure.ts';
import { type Environment, type RunId, sessionIdPrefix, type WaitpointId } from '../domain/ids.ts';
import { waitersMax, waitpointsPerStreamMax } from '../domain/limits.ts';
import type { Direction } from '../domain/stream.ts';
import type { Idempotency, Timeout, Waitpoint } from '../domain/waitpoint.ts';
import type { Failpoints, RunStore } from '../sessions/ports.ts';
import type { Registration, WaitpointStore } from '../sessions/waitpoint-ports.ts';
import type { LocateSession } from './locate-session.ts';
import { WaitpointWatch, type WaitpointWatchDeps } from './waitpoint-watch.ts';

export interface RunWait {
  readonly environment: Environment;
  /** Null: no run can have that id. */
  readonly runId: RunId | null;
  /** Of the caller, where its credential names one. */
  readonly attempt: ClaimedAttempt | null;
  /** Either form of the session's key; an external id also before its session exists. */
  readonly sessionKey: string;
  readonly stream: Direction;
  readonly after: number;
  readonly timeout: Timeout | null;
  readonly idempotency: Idempotency | null;
  readonly tags: readonly string[];
}

export interface Waitpoints {
  register(wait: RunWait): Promise<Result<{ readonly waitpointId: WaitpointId; readonly isCached: boolean }>>;
  /** The waitpoint once it has completed, or still pending after the longest time that such a call is held. */
  hold(
    address: { readonly environment: Environment; readonly runId: RunId | null; readonly id: WaitpointId | null },
    left: AbortSignal,
  ): Promise<Result<Waitpoint>>;
  /** For leak checks. */
  waiterCount(): number;
  stop(): Promise<void>;
}

export interface WaitpointsDeps extends WaitpointWatchDeps {
  readonly store: WaitpointStore;
  readonly runs: Pick<RunStore, 'find'>;
  readonly locate: LocateSession;
  readonly failpoints: Failpoints;
  readonly newWaitpointId: () => WaitpointId;
  readonly workflowIdOf: (environment: Environment, externalId: string) => string;
}

export function openWaitpoints(deps: WaitpointsDeps): Waitpoints {
  const watch = new WaitpointWatch(deps);
  return {
    register: (wait) => register(deps, wait),
    async hold({ environment, runId, id }, left) {
      const run = runId === null ? null : await deps.runs.find(environment.id, runId);
      if (run === null) return fail({ code: 'run_not_found' });
      const waitpoint = id === null ? null : await deps.store.find(environment.id, id);
      if (waitpoint === null) return fail({ code: 'waitpoint_not_found' });
      if (waitpoint.state.kind !== 'pending') return succeed(waitpoint);
      return watch.isFull
        ? fail({ code: 'waiters_crowded', limit: waitersMax })
        : succeed(await watch.wait(waitpoint, left));
    },
    waiterCount: () => watch.waiterCount,
    stop: () => watch.stop(),
  };
}

async function register(deps: WaitpointsDeps, wait: RunWait): ReturnType<Waitpoints['register']> {
  const { environment, runId, sessionKey, attempt, ...rest } = wait;
  const run = runId === null ? null : await deps.runs.find(environment.id, runId);
  if (run === null) return fail({ code: 'run_not_found' });
  // A credential of one run registers no wait of another.
  if (attempt !== null && attempt.runId !== run.id) return fail({ code: 'run_superseded' });
  const session = await deps.locate(environment, sessionKey);
  if (session === null && sessionKey.startsWith(sessionIdPrefix)) return fail({ code: 'session_not_found' });
  await deps.failpoints.hit('waitpoint:before');
  const request = {
    ...rest,
    attempt: attempt?.attempt ?? null,
    id: deps.newWaitpointId(),
    environmentId: environment.id,
    run: { id: run.id, sessionId: run.sessionId, number: run.number },
  };
  const registration =
    session === null
      ? await deps.store.registerEarly({ ...request, workflowId: deps.workflowIdOf(environment, sessionKey) })
      : await deps.store.register({ ...request, sessionId: session.id });
  await deps.failpoints.hit('waitpoint:after');
  return answerOf(registration);
}

function answerOf(registration: Registration): Awaited<ReturnType<Waitpoints['register']>> {
  switch (registration.kind) {
    case 'registered':
      return succeed({ waitpointId: registration.id, isCached: registration.isCached });
    case 'refused':
      return fail({ code: 'run_superseded' });
    case 'crowded':
      return fail({ code: 'waits_crowded', limit: waitpointsPerStreamMax });
  }
}
