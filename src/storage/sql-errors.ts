/** What a database's error means to us. Both drivers report the server's errors with `code` and `severity`. */
import { Unavailable } from '../domain/failure.ts';

interface ServerError extends Error {
  readonly code: string;
  readonly severity: string;
}

function isServerError(error: unknown): error is ServerError {
  return error instanceof Error && 'severity' in error && 'code' in error && typeof error.code === 'string';
}

/**
 * Connection (08), out of resources (53), cancelled or shutting down (57), input/output (58), a lock not had in time,
 * a transaction killed for idling, and a server that has become a read-only replica.
 */
const unavailableStates = /^(08|53|57|58)|^(55P03|25P03|25P04|25006)$/;
/** Deadlock and serialisation failure: rolled back by the server, and another try may succeed. */
const repeatableStates = /^(40P01|40001)$/;

/** A statement prepared before another process changed the schema; preparing it anew cures that. */
export function isStalePlan(error: unknown): boolean {
  return isServerError(error) && error.code === '0A000' && error.message.includes('cached plan');
}

export function isRepeatable(error: unknown): boolean {
  return isStalePlan(error) || (isServerError(error) && repeatableStates.test(error.code));
}

/**
 * Whether the connection that reported it is of no further use. Drivers report a lost connection as a plain error;
 * type and range errors are of values that they could not convert.
 */
export function isConnectionLost(error: unknown): boolean {
  if (isServerError(error)) return error.severity === 'FATAL' || error.severity === 'PANIC';
  return error instanceof Error && !(error instanceof TypeError || error instanceof RangeError);
}

/** The error to throw from a statement: `Unavailable`, or the same one when it is a fault of ours. */
export function toThrown(error: unknown): unknown {
  if (error instanceof Unavailable) return error;
  const unavailable =
    isConnectionLost(error) || (isServerError(error) && (unavailableStates.test(error.code) || isRepeatable(error)));
  return unavailable ? new Unavailable('database', error) : error;
}
