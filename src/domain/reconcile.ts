/** What the reconciler looks for, and what it answers. Plain JSON: it crosses Temporal. */
import type { RunId, SessionId } from './ids.ts';

/** A row that says what should have happened by now. */
export type Repair =
  /** A record was acknowledged on dead run `runNumber`, and nobody was woken for it. */
  | { readonly kind: 'wake'; readonly sessionId: SessionId; readonly runNumber: number }
  /** Past its expiry, and nobody has written that down. */
  | { readonly kind: 'expire'; readonly sessionId: SessionId };

/** Unfinished runs of a session: each is executed by the workflow that owns it, or by nobody. */
export interface OwnedRuns {
  readonly sessionId: SessionId;
  readonly runIds: readonly RunId[];
  readonly workflowId: string;
  readonly owner: string;
}

/** One round; sessions after `cursor` are looked at first in the next one. */
export interface ReconcileReport {
  readonly woken: number;
  readonly expired: number;
  /** Sessions with a run that nobody executed: Temporal's store was lost or set back, or an operator ended the workflow. */
  readonly adopted: number;
  /** Null: the round came to the end of the table. */
  readonly cursor: SessionId | null;
}

export const nothingRepaired: ReconcileReport = { woken: 0, expired: 0, adopted: 0, cursor: null };

export const repairsOf = ({ woken, expired, adopted }: ReconcileReport): number => woken + expired + adopted;
