/**
 * Operators type orders by hand. Null is text that is no order: it changes nothing. What is read is of the right type
 * and within its bound, and no other field passes: an order that the database refuses would be tried again for ever.
 */
import type { RunId } from '../src/domain/ids.ts';
import { closeReasonLengthMax, deploymentIdLengthMax, requestKeyLengthMax } from '../src/domain/limits.ts';
import type { RunReason } from '../src/domain/run.ts';
import type { CloseSignal, EndAndContinueSignal } from './messages.ts';

export function readRunNumber(typed: unknown): { readonly runNumber: number } | null {
  const { runNumber } = fieldsOf(typed);
  return typeof runNumber === 'number' ? { runNumber } : null;
}

export function readRunId(typed: unknown): { readonly runId: RunId } | null {
  const { runId } = fieldsOf(typed);
  return typeof runId === 'string' ? { runId: runId as RunId } : null;
}

export function readHandOver(typed: unknown): EndAndContinueSignal | null {
  const order = readRunNumber(typed);
  const { reason, requestKey, externalDeploymentId } = fieldsOf(typed);
  const key = textOf(requestKey, requestKeyLengthMax);
  if (order === null || key === null || !isSuccession(reason)) return null;
  return {
    ...order,
    reason,
    requestKey: key,
    externalDeploymentId: textOf(externalDeploymentId, deploymentIdLengthMax),
  };
}

const isSuccession = (reason: unknown): reason is Exclude<RunReason, 'initial'> =>
  reason === 'continuation' || reason === 'upgrade' || reason === 'manual';

/** Every text is a close: that its reason cannot be kept must not keep the session open. */
export function readClose(typed: unknown): Required<CloseSignal> {
  const { reason, callingRunId } = fieldsOf(typed);
  return {
    reason: textOf(reason, closeReasonLengthMax),
    callingRunId: typeof callingRunId === 'string' ? (callingRunId as RunId) : null,
  };
}

const fieldsOf = (typed: unknown): Partial<Record<string, unknown>> =>
  typeof typed === 'object' && typed !== null ? typed : {};

/** PostgreSQL keeps every text but U+0000. Bounded in code points, as on the API. */
const textOf = (value: unknown, lengthMax: number): string | null =>
  typeof value === 'string' ? Array.from(value.replaceAll('\u0000', '\ufffd')).slice(0, lengthMax).join('') : null;
