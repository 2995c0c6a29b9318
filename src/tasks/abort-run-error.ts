const abortRunBrand = Symbol.for('perdure.abort-run');

/** Thrown by a task: the run fails now, whatever attempts it has left. */
export class AbortRunError extends Error {
  readonly [abortRunBrand] = true;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AbortRunError';
  }
}

/** Recognised by brand, not by class: a task file may load another copy of this module than the worker. */
export const isAbortRunError = (error: unknown): error is AbortRunError =>
  error instanceof Error && abortRunBrand in error;
