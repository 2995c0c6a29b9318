/** Refusals that only HTTP knows, beside those of the domain; and the one way out of a route with either. */

import type { Failure, FieldProblem, Result } from '../domain/failure.ts';
import type { Direction } from '../domain/stream.ts';
import type { RateReading } from '../sessions/ports.ts';

export type HttpFailure =
  | Failure
  | { readonly code: 'credential_missing' }
  | { readonly code: 'key_unknown' }
  | { readonly code: 'token_unowned' }
  | { readonly code: 'token_invalid' }
  | { readonly code: 'token_used' }
  /** An additional key signs nothing, so claims to sign are of no use to it. */
  | { readonly code: 'key_cannot_sign' }
  | { readonly code: 'scopes_exceed_key'; readonly deniedScopes: readonly string[] }
  /** Read routes: what is absent and what may not be seen come before the scope (protocol section 1.3). */
  | { readonly code: 'not_found'; readonly retry: boolean }
  | { readonly code: 'path_unknown' }
  | { readonly code: 'method_not_allowed'; readonly allow: readonly string[]; readonly method: string }
  | { readonly code: 'invalid_query'; readonly details: readonly FieldProblem[] }
  | { readonly code: 'invalid_params'; readonly details: readonly FieldProblem[] }
  | { readonly code: 'append_needs_secret_key' }
  | { readonly code: 'too_many_waitpoint_tags'; readonly count: number }
  /** Of a writer's credential; told as plain text. */
  | { readonly code: 'writer_needs_secret_key'; readonly direction: Direction }
  | { readonly code: 'writer_session_missing' }
  | { readonly code: 'writer_session_closed' }
  /** Told as plain text. */
  | { readonly code: 'invalid_timeout'; readonly message: string }
  | { readonly code: 'rate_limited'; readonly reading: RateReading }
  | { readonly code: 'locked_out'; readonly reading: RateReading }
  | { readonly code: 'signature_invalid' }
  | { readonly code: 'body_too_large' }
  | { readonly code: 'body_too_slow' }
  | { readonly code: 'token_order_invalid'; readonly message: string; readonly issues?: readonly FieldProblem[] }
  /** Bodies of the routes that answer without `details`. */
  | { readonly code: 'body_malformed'; readonly message: string };

/** Thrown inside `http` only, caught by `answerFailures` only: a route stays parse, one call, answer. */
export class Refusal extends Error {
  readonly failure: HttpFailure;
  constructor(failure: HttpFailure) {
    super(failure.code);
    this.name = 'Refusal';
    this.failure = failure;
  }
}

export function refuse(failure: HttpFailure): never {
  throw new Refusal(failure);
}

export function orRefuse<Value>(result: Result<Value>): Value {
  return result.ok ? result.value : refuse(result.failure);
}
