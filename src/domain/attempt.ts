/** Who writes for a session: at most one attempt of one run (lifecycle section 5). */
import type { RunId, SessionId } from './ids.ts';

/** An attempt that has claimed, as its credential names it. */
export interface ClaimedAttempt {
  readonly sessionId: SessionId;
  readonly runId: RunId;
  readonly runNumber: number;
  readonly attempt: number;
}

/** What the fence of a session is compared with. */
export type NumberedAttempt = Pick<ClaimedAttempt, 'runNumber' | 'attempt'>;

/** The fence of a session; an attempt of null is shut, because the run has ended. */
export interface Fence {
  readonly runNumber: number;
  readonly attempt: number | null;
}

/** I1, V14: whether the attempt is the one that may write. Asked under the gate's lock, which every move of the fence takes. */
export const holdsFence = (fence: Fence, { runNumber, attempt }: NumberedAttempt): boolean =>
  fence.runNumber === runNumber && fence.attempt === attempt;

/** What a writer's credential is worth at this moment. */
export type WriterStanding =
  /** Whoever no claim names: root keys, and attempts of other sessions. */
  | 'unfenced'
  | 'holder'
  /** Its session was handed over, and its run has not ended: it may still say so to the readers, and nothing else. */
  | 'handed over'
  | 'fenced out';

/** @param hasLastClaim of its run, which has not ended: no later attempt of the run has claimed */
export function standingOf(fence: Fence, attempt: ClaimedAttempt, hasLastClaim: boolean): WriterStanding {
  if (holdsFence(fence, attempt)) return 'holder';
  return fence.runNumber === attempt.runNumber + 1 && hasLastClaim ? 'handed over' : 'fenced out';
}
