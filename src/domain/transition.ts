/**
 * Orders to a session's gate and what they answer. Plain JSON: they cross Temporal, so times are
 * milliseconds and nothing is undefined. Each order can arrive twice, late, or from a paused worker (R3).
 */

import type { ClaimedAttempt } from './attempt.ts';
import type { NewSession } from './create-session.ts';
import type { Owner } from './gate.ts';
import type { EnvironmentId, EnvironmentName, RunId, SessionId } from './ids.ts';
import type { RunOrder, RunOutcome, RunReason } from './run.ts';

/** Which session, and on whose behalf: the workflow execution that believes itself the owner. */
export interface OwnedSession {
  readonly sessionId: SessionId;
  readonly owner: Owner;
  /** Number of the last run whose activity this workflow has scheduled; 0 for none. */
  readonly scheduled: number;
}

export interface CreateOrder {
  readonly environment: { readonly id: EnvironmentId; readonly name: EnvironmentName };
  readonly workflowId: string;
  readonly session: NewSession;
  readonly owner: Owner;
  readonly scheduled: number;
}

export type ContinueOrder = OwnedSession & { readonly runNumber: number };
export type EndRunOrder = OwnedSession & { readonly runNumber: number; readonly outcome: RunOutcome };
export type EndAndContinueOrder = OwnedSession & {
  readonly runNumber: number;
  readonly requestKey: string;
  readonly reason: RunReason;
  /** Upgrade only: replaces `externalDeploymentId` of the session's config; null clears it. */
  readonly externalDeploymentId: string | null;
};
export type CloseOrder = OwnedSession & { readonly reason: string | null; readonly callingRunId: RunId | null };

/** The gate as the workflow needs it after each transition (R4): it makes itself agree with this. */
export interface GateView {
  readonly kind: 'gate';
  readonly sessionId: SessionId;
  readonly externalId: string | null;
  readonly taskIdentifier: string;
  readonly environment: EnvironmentName;
  readonly state: 'open' | 'closed' | 'expired';
  readonly runNumber: number;
  readonly live: boolean;
  /** Null when the session does not expire. */
  readonly expiresAtMs: number | null;
  /** The database's clock at this look: timers count from it, so a skewed worker cannot expire early. */
  readonly nowMs: number;
  /** The live run, if its number is greater than the order's `scheduled`. */
  readonly unscheduled: RunOrder | null;
  /** Only where they were asked for. */
  readonly tags?: readonly string[];
}

/** `gone`: another workflow owns the session, or no row exists; the asking workflow completes quietly. */
export type TransitionAnswer = GateView | { readonly kind: 'gone' };

/** A gate, and what this deployment adds for the workflow; read at each transition, so a restart can change it. */
export type SessionView = GateView & {
  /** Where a task's worker reaches the API; without a trailing slash. */
  readonly apiUrl: string;
  /** Seconds that a live run may go on after its session has ended. */
  readonly closeGraceSeconds: number;
};

/** How far a run has consumed `in`. */
export interface CursorOrder {
  readonly environmentId: EnvironmentId;
  readonly runId: RunId;
  /** Of the caller's credential; null for one that no claim names. */
  readonly attempt: ClaimedAttempt | null;
  /** Everything up to it is consumed. */
  readonly seq: number;
}

/** Asked by a task's worker at the start of each attempt, before it reads anything (lifecycle section 5). */
export interface ClaimOrder {
  readonly environmentId: EnvironmentId;
  readonly runId: RunId;
  readonly attempt: number;
}

export interface Claim {
  readonly sessionId: SessionId;
  readonly runNumber: number;
  readonly attempt: number;
  /** Next seq of `in` that no run has consumed. */
  readonly cursor: number;
  /** Wall-clock end of the run's `maxDuration`, counted from its first claim; null without one. */
  readonly deadlineAt: Date | null;
}
