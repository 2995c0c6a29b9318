/**
 * A run's wait for the next record of a session's stream (protocol section 8.1). It is a wake and nothing more: whoever
 * is woken reads the record from the stream, and a completed waitpoint never moves the consumed cursor (V8).
 */
import type { SessionState } from './gate.ts';
import type { EnvironmentId, RunId, SessionId, WaitpointId } from './ids.ts';
import type { Direction } from './stream.ts';

export type WaitpointState =
  | { readonly kind: 'pending' }
  /** The first record after the one that the waiter had seen; its text, or null when it is retained no more. */
  | { readonly kind: 'record'; readonly text: string | null }
  | { readonly kind: 'timeout' }
  /** The session ended and no record of `in` can follow. */
  | { readonly kind: 'ended' };

export interface Waitpoint {
  readonly id: WaitpointId;
  /** Of its session: who waits hears of its changes. */
  readonly workflowId: string;
  readonly state: WaitpointState;
}

export interface WaitRequest {
  /** Unused so far. */
  readonly id: WaitpointId;
  readonly environmentId: EnvironmentId;
  readonly run: { readonly id: RunId; readonly sessionId: SessionId; readonly number: number };
  /** Of the run, where the caller's credential names it. */
  readonly attempt: number | null;
  readonly stream: Direction;
  /** Seq of the last record that the waiter has seen; -1 for none. */
  readonly after: number;
  readonly timeout: Timeout | null;
  readonly idempotency: Idempotency | null;
  readonly tags: readonly string[];
}

export interface WaitOrder extends WaitRequest {
  readonly sessionId: SessionId;
}

/** On a session that nobody has seen yet. */
export interface EarlyWaitOrder extends WaitRequest {
  /** Of the workflow that will own it. */
  readonly workflowId: string;
}

export interface Idempotency {
  readonly digest: string;
  /** Milliseconds for which a repeated key is answered with the first waitpoint; null without a bound of its own. */
  readonly ttlMs: number | null;
}

export type Timeout = { readonly kind: 'after'; readonly ms: number } | { readonly kind: 'at'; readonly at: Date };

const unitMs: Readonly<Record<string, number>> = {
  w: 604_800_000,
  d: 86_400_000,
  hr: 3_600_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
};

/** One hundred years: beyond it a timeout is none, and a date could not hold it. */
const durationMaxMs = 3_155_760_000_000;

/** Milliseconds of `1h30m`; null when the text is no duration. */
export function parseDuration(text: string): number | null {
  if (!/^(?:\d{1,12}(?:w|d|hr|h|m|s)){1,8}$/.test(text)) return null;
  let totalMs = 0;
  for (const [, count, unit = ''] of text.matchAll(/(\d+)([a-z]+)/g)) totalMs += Number(count) * (unitMs[unit] ?? 0);
  return Math.min(totalMs, durationMaxMs);
}

/** A duration or an ISO date; null when the text is neither. */
export function parseTimeout(text: string): Timeout | null {
  const ms = parseDuration(text);
  if (ms !== null) return { kind: 'after', ms };
  const at = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]{5,12}(?:Z|[+-]\d{2}:?\d{2})?)?$/.test(text) ? new Date(text) : null;
  return at === null || Number.isNaN(at.getTime()) ? null : { kind: 'at', at };
}

/** When the wait ends without a record; null when it does not: a date in the past is none (protocol section 8.1). */
export function timeoutAt(timeout: Timeout | null, now: Date): Date | null {
  if (timeout === null) return null;
  if (timeout.kind === 'after') return new Date(now.getTime() + timeout.ms);
  return timeout.at.getTime() > now.getTime() ? timeout.at : null;
}

export interface WaitFacts {
  readonly stream: Direction;
  /** Seq of the first record after the one seen; null when there is none. */
  readonly first: number | null;
  readonly session: SessionState;
}

/** Decided under the stream's lock, so that no record falls between this look and the next append. */
export function firstStateOf({ stream, first, session }: WaitFacts): 'pending' | 'record' | 'ended' {
  if (first !== null) return 'record';
  return stream === 'in' && session !== 'open' ? 'ended' : 'pending';
}
