/** Why a call of a task to its session cannot succeed; the message says what to do about it. */

/**
 * Thrown by a task, all but `unreachable` end its run: another attempt would fare no better.
 *
 * `superseded`: another attempt or run serves the session now; this one has to end, and its signal has fired.
 * `ended`: the session is closed or expired.
 * `refused`: the server does not take what was sent.
 * `unreachable`: the server gave no usable answer until the deadline.
 * `no-message`: `once` waited in vain.
 */
export type SessionErrorCode = 'superseded' | 'ended' | 'refused' | 'unreachable' | 'no-message';

const sessionErrorBrand = Symbol.for('perdure.session-error');

export class SessionError extends Error {
  readonly [sessionErrorBrand] = true;
  readonly code: SessionErrorCode;

  constructor(code: SessionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SessionError';
    this.code = code;
  }
}

/** Recognised by brand, not by class: a task file may load another copy of this module than the worker. */
export const isSessionError = (error: unknown): error is SessionError =>
  error instanceof Error && sessionErrorBrand in error;
