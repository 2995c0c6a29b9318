/** What the reconciler looks for, and what it answers. Plain JSON: it crosses Temporal. */
import type { SessionId } from './ids.ts';

/** A row that says what should have happened by now, or whose workflow may be gone. */
export type Repair =
  /** A record was acknowledged on dead run `runNumber`, and nobody was woken for it. */
  | { readonly kind: 'wake'; readonly sessionId: SessionId; readonly runNumber: number }
  /** Past its expiry, and nobody has written that down. */
  | { readonly kind: 'expire'; readonly sessionId: SessionId };

/** An unfinished run is executed by the workflow that owns its session, or by nobody. */
export interface OwnedRuns {
  readonly sessionId: SessionId;
  readonly workflowId: string;
  readonly owner: string;
}

/** One round; sessions after `cursor` are looked at first in the next one. */
export interface ReconcileReport {
  readonly woken: number;
  readonly expired: number;
  /** Sessions whose workflow was gone: Temporal's store was lost, or an operator ended it. */
  readonly adopted: number;
  /** Null: the round came to the end of the table. */
  readonly cursor: SessionId | null;
}

export const nothingRepaired: ReconcileReport = { woken: 0, expired: 0, adopted: 0, cursor: null };

export const repairsOf = ({ woken, expired, adopted }: ReconcileReport): number => woken + expired + adopted;
