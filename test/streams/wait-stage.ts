/** Waits of a session's first run, as a test tells them. */
import type { Result } from '../../src/domain/failure.ts';
import type { WaitpointId } from '../../src/domain/ids.ts';
import type { WaitpointState } from '../../src/domain/waitpoint.ts';
import type { RunWait, Waitpoints } from '../../src/streams/waitpoints.ts';
import type { OpenSession } from '../storage/lifecycle.ts';

export interface WaitStage {
  /** The first run's wait for a record of its own session. */
  register(session: OpenSession, changes?: Partial<RunWait>): ReturnType<Waitpoints['register']>;
  /** Id of a wait that must be taken. */
  waitOf(session: OpenSession, changes?: Partial<RunWait>): Promise<WaitpointId>;
  /** How it completed, or that it is still pending when the hold is left. */
  outcomeOf(session: OpenSession, id: WaitpointId, left?: AbortSignal): Promise<WaitpointState>;
}

export function waitsOf(waitpoints: Waitpoints): WaitStage {
  const register: WaitStage['register'] = ({ order, runId }, changes) =>
    waitpoints.register({
      environment: order.environment,
      runId,
      attempt: null,
      sessionKey: order.session.id,
      stream: 'in',
      after: -1,
      timeout: null,
      idempotency: null,
      tags: [],
      ...changes,
    });
  return {
    register,
    waitOf: async (session, changes) => valueOf(await register(session, changes)).waitpointId,
    outcomeOf: async ({ order: { environment }, runId }, id, left = new AbortController().signal) =>
      valueOf(await waitpoints.hold({ environment, runId, id }, left)).state,
  };
}

export function valueOf<Value>(result: Result<Value>): Value {
  if (!result.ok) throw new Error(`refused: ${result.failure.code}`);
  return result.value;
}
