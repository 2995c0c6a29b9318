/**
 * Expected refusals, one closed union. A failure travels as a value; a fault (our bug, a broken
 * dependency) is thrown. `http/answer-failure.ts` is the only place that knows their wire form.
 */
export interface FieldProblem {
  readonly code: string;
  readonly message: string;
  readonly path: readonly string[];
}

export type Failure =
  | { readonly code: 'session_closed' }
  | { readonly code: 'session_expired' }
  | { readonly code: 'session_not_found' }
  | { readonly code: 'run_not_found' }
  /** What the protocol calls the missing session of append, hand-over and snapshot. */
  | { readonly code: 'resource_not_found' }
  | { readonly code: 'calling_run_not_found' }
  | { readonly code: 'hand_over_ended'; readonly state: 'closed' | 'expired' }
  | { readonly code: 'external_id_fixed' }
  | { readonly code: 'claim_refused' }
  | { readonly code: 'waitpoint_not_found' }
  /** The run has ended, or the session went on without it, or without this attempt of it. */
  | { readonly code: 'run_superseded' }
  | { readonly code: 'waits_crowded'; readonly limit: number }
  | { readonly code: 'waiters_crowded'; readonly limit: number }
  | { readonly code: 'scope_missing' }
  | { readonly code: 'invalid_body'; readonly message: string; readonly details: readonly FieldProblem[] }
  | { readonly code: 'append_to_closed'; readonly closedReason: string | null }
  | { readonly code: 'append_to_expired' }
  /** Another attempt writes for the session now, or the run has ended. */
  | { readonly code: 'append_fenced' }
  | { readonly code: 'append_seq_mismatch'; readonly next: number }
  | { readonly code: 'record_too_large'; readonly meteredBytes: number }
  /** It bears a mark that must be taken off, and is nested too deeply for that. */
  | { readonly code: 'record_too_deep' }
  | { readonly code: 'appends_crowded' }
  | { readonly code: 'readers_crowded'; readonly limit: number }
  | { readonly code: 'snapshots_crowded' }
  /** Another attempt serves the session now. */
  | { readonly code: 'snapshot_refused' }
  | { readonly code: 'unavailable'; readonly part: Part };

export type Part = 'database' | 'temporal' | 'session worker' | 'object store';

export type Result<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly failure: Failure };

export const succeed = <Value>(value: Value): Result<Value> => ({ ok: true, value });
export const fail = (failure: Failure): { readonly ok: false; readonly failure: Failure } => ({ ok: false, failure });

/** A part that a request needs does not answer. Thrown by adapters, turned into `unavailable` at the edge. */
export class Unavailable extends Error {
  readonly part: Part;
  constructor(part: Part, cause?: unknown) {
    super(`${part} is not available`, { cause });
    this.name = 'Unavailable';
    this.part = part;
  }
}

/** Temporal knows a workflow of this id, open or ended, and has started no other. */
export class AlreadyStarted extends Error {}
