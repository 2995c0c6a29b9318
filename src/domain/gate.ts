/**
 * The gate: one narrow row per session under whose lock lifecycle and `in` meet (design: lifecycle).
 * Everything here is a pure decision on that row; `storage/transitions` locks, asks, applies.
 */
import { barrenMax } from './limits.ts';
import { endedByItself, type FinalRunStatus, isCrash } from './run.ts';

export interface Gate {
  /** First execution run id of the workflow that may change this session. */
  readonly owner: string;
  /** Milliseconds since 1970: a younger workflow takes over from an older one, never the reverse. */
  readonly ownerStartedAtMs: number;
  /** Number of the current run; runs are numbered from 1. */
  readonly runNumber: number;
  /** Whether the current run has no outcome yet. */
  readonly live: boolean;
  /** Highest attempt of the current run that claimed; 0 before the first claim. */
  readonly attempt: number;
  /** `next` of `in` when the current run first claimed; null before that. */
  readonly began: number | null;
  /** Next seq of `in` that no run has consumed. */
  readonly consumed: number;
  /** Next seq of `in` to be assigned. */
  readonly next: number;
  /** A record was acknowledged on this dead run and somebody must still be woken for it. */
  readonly wakeAfter: number | null;
  /** Continuations in a row that followed a crash; bounded by `barrenMax`. */
  readonly barren: number;
  readonly closedAt: Date | null;
  readonly closedReason: string | null;
  readonly expiresAt: Date | null;
  readonly expiredAt: Date | null;
  /** A waitpoint on `in` may be pending. */
  readonly waitedFor: boolean;
}

type EndMarks = Pick<Gate, 'closedAt' | 'expiresAt' | 'expiredAt'>;

export type SessionState = 'open' | 'closed' | 'expired';

/** Closed wins over expired (protocol section 3.7); past `expiresAt` counts as expired before any flag is set. */
export function stateOf(gate: EndMarks, now: Date): SessionState {
  if (gate.closedAt !== null) return 'closed';
  if (gate.expiredAt !== null) return 'expired';
  return gate.expiresAt !== null && gate.expiresAt.getTime() <= now.getTime() ? 'expired' : 'open';
}

export const isOpen = (gate: EndMarks, now: Date): boolean => stateOf(gate, now) === 'open';

/** An order that wants run `runNumber + 1`, given only that run `runNumber` was seen dead (R3). */
export function maySucceedDeadRun(gate: Gate, runNumber: number, now: Date): boolean {
  return isOpen(gate, now) && gate.runNumber === runNumber && !gate.live;
}

/** A hand-over names the run that it replaces; that run may still be alive. */
export function maySucceedCurrentRun(gate: Gate, runNumber: number, now: Date): boolean {
  return isOpen(gate, now) && gate.runNumber === runNumber;
}

/**
 * I5: is there a client's record that the ended run may not have answered?
 * @param lastClientSeq greatest seq of a client's record on `in` with seq >= consumed, null if there is none
 */
export function hasUnread(gate: Gate, lastClientSeq: number | null, crashed: boolean): boolean {
  if (lastClientSeq === null || lastClientSeq < gate.consumed) return false;
  if (gate.began !== null && lastClientSeq >= gate.began) return true;
  return (gate.began === null || crashed) && gate.barren < barrenMax;
}

export type EndDecision =
  | { readonly kind: 'stale' }
  | { readonly kind: 'idle' }
  | { readonly kind: 'continue'; readonly barren: number };

export interface EndFacts {
  readonly runNumber: number;
  readonly status: FinalRunStatus;
  /** `next` of `in` when the run was triggered. */
  readonly triggeredAtSeq: number;
  readonly lastClientSeq: number | null;
  readonly now: Date;
}

/** The end of a run and the start of its continuation are one decision (V5); a swapped-out run starts nothing (V16). */
export function decideEnd(gate: Gate, facts: EndFacts): EndDecision {
  if (gate.runNumber !== facts.runNumber || !gate.live) return { kind: 'stale' };
  const began = gate.began ?? (endedByItself(facts.status) ? facts.triggeredAtSeq : null);
  const crashed = began === null || isCrash(facts.status);
  if (!isOpen(gate, facts.now) || !hasUnread({ ...gate, began }, facts.lastClientSeq, crashed)) return { kind: 'idle' };
  return { kind: 'continue', barren: crashed ? gate.barren + 1 : 0 };
}

export interface Owner {
  readonly id: string;
  readonly startedAtMs: number;
}

export type OwnerDecision = 'mine' | 'gone' | 'take-over';

/** A store that was lost leaves rows behind: the younger workflow becomes their owner, an older one goes quietly. */
export function decideOwner(gate: Pick<Gate, 'owner' | 'ownerStartedAtMs'>, owner: Owner): OwnerDecision {
  if (gate.owner === owner.id) return 'mine';
  return gate.ownerStartedAtMs > owner.startedAtMs ? 'gone' : 'take-over';
}

export interface ClaimFacts {
  readonly runNumber: number;
  readonly attempt: number;
  readonly final: boolean;
  readonly now: Date;
}

/**
 * From a granted claim on, this attempt alone may write for the session. I4: a run queued before an
 * acknowledged close is refused (V12); one that had begun may try again and finish its turn.
 */
export function mayClaim(gate: Gate, facts: ClaimFacts): boolean {
  if (gate.runNumber !== facts.runNumber || facts.final || facts.attempt < gate.attempt) return false;
  return isOpen(gate, facts.now) || gate.attempt > 0;
}

/** V14: a wait belongs to the current run, and to the attempt that has it where the caller's credential names one. */
export function mayWait(
  gate: Pick<Gate, 'runNumber' | 'attempt'>,
  facts: { readonly runNumber: number; readonly attempt: number | null; readonly final: boolean },
): boolean {
  if (gate.runNumber !== facts.runNumber || facts.final) return false;
  return facts.attempt === null || facts.attempt === gate.attempt;
}
