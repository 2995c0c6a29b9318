/** What a session's workflow is started with and what it can be sent. Plain JSON; names are verbs an operator can send. */
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { NewSession } from '../src/domain/create-session.ts';
import type { Owner } from '../src/domain/gate.ts';
import type { Environment, RunId, SessionId } from '../src/domain/ids.ts';
import type { RunReason } from '../src/domain/run.ts';

export const sessionWorkflowType = 'session';

export type SessionInput =
  /** A create: the row is made unless it exists. */
  | { readonly kind: 'create'; readonly environment: Environment; readonly session: NewSession }
  /** Signal-with-start on a session whose row exists: its workflow may have been lost. */
  | { readonly kind: 'adopt'; readonly sessionId: SessionId }
  /** Continue-as-new while idle. */
  | { readonly kind: 'resume'; readonly sessionId: SessionId; readonly owner: Owner; readonly scheduled: number };

export interface EndAndContinueSignal {
  readonly runNumber: number;
  readonly reason: RunReason;
  readonly requestKey: string;
  readonly externalDeploymentId: string | null;
}

export interface CloseSignal {
  readonly reason?: string | null;
  readonly callingRunId?: RunId | null;
}

/** Run `runNumber` is over and the caller wants a live one. */
export const ensureSignal = defineSignal<[{ readonly runNumber: number }]>('ensure');
/** Run `runNumber` is over and a record waits for the next: another name, so that an operator sees why. */
export const wakeSignal = defineSignal<[{ readonly runNumber: number }]>('wake');
export const endAndContinueSignal = defineSignal<[EndAndContinueSignal]>('endAndContinue');
export const closeSignal = defineSignal<[CloseSignal?]>('close');
export const cancelRunSignal = defineSignal<[{ readonly runId: RunId }]>('cancelRun');
/** The row's `expires_at` decides; sent by operators, and by the workflow's own timer. */
export const expireSignal = defineSignal('expire');
/** Look at the row again: its expiry changed. */
export const rescheduleSignal = defineSignal('reschedule');
/** The row has other tags now. */
export const relabelSignal = defineSignal('relabel');
/** Look at the row again: something may be missing. */
export const pokeSignal = defineSignal('poke');

export interface SessionDescription {
  readonly sessionId: SessionId | null;
  readonly state: 'starting' | 'open' | 'closed' | 'expired';
  readonly runNumber: number;
  readonly openRuns: readonly RunId[];
  readonly expiresAt: string | null;
}

export const describeQuery = defineQuery<SessionDescription>('describe');
