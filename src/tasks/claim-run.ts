/**
 * The first call of every attempt (lifecycle section 5): from a granted claim on, this attempt alone may
 * write for the session. Repeating a claim is harmless, so everything that may pass is repeated here.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { withinDeadline } from '../deadline.ts';
import {
  claimAnswerBytesMax,
  claimDeadlineMs,
  claimRequestTimeoutMs,
  claimRetryFirstMs,
  claimRetryMaxMs,
} from '../domain/limits.ts';
import { describeFault, jittered, parseJson, passingStatuses, readBounded } from './http-answer.ts';

export interface ClaimRequest {
  /** Absolute URL of the run's claim route. */
  readonly url: string;
  readonly secretKey: string;
  /** Attempt number as Temporal counts, from 1. */
  readonly attempt: number;
  /** Aborted when the attempt has to end: the claim is then given up. */
  readonly signal: AbortSignal;
  /** How long to go on asking a server that does not answer. */
  readonly deadlineMs?: number;
}

export interface GrantedClaim {
  readonly sessionId: string;
  readonly runNumber: number;
  readonly attempt: number;
  /** Next seq of `in` that no run has consumed. */
  readonly cursor: number;
  /** End of the run's `maxDuration` in milliseconds since 1970 by THIS machine's clock; null without one. */
  readonly deadlineAtMs: number | null;
  /** Secret key of this attempt alone: what it writes for its session is refused once another attempt has claimed. */
  readonly attemptKey: string;
}

export type ClaimOutcome =
  | { readonly kind: 'granted'; readonly claim: GrantedClaim }
  /** Another attempt, run or owner holds the session, or it has ended. */
  | { readonly kind: 'refused'; readonly problem: string }
  /** The secret key is not accepted. */
  | { readonly kind: 'unauthorized'; readonly problem: string }
  /** An answer that repeating cannot mend. */
  | { readonly kind: 'rejected'; readonly problem: string }
  /** No usable answer until the deadline or the signal. */
  | { readonly kind: 'unanswered'; readonly problem: string };

export async function claimRun(request: ClaimRequest): Promise<ClaimOutcome> {
  const giveUpAt = Date.now() + (request.deadlineMs ?? claimDeadlineMs);
  let pauseMs = claimRetryFirstMs;
  for (;;) {
    const outcome = await askOnce(request);
    const leftMs = giveUpAt - Date.now();
    if (outcome.kind !== 'unanswered' || request.signal.aborted || leftMs <= 0) return outcome;
    const waitMs = Math.min(jittered(pauseMs), leftMs);
    await delay(waitMs, undefined, { signal: request.signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, claimRetryMaxMs);
  }
}

async function askOnce(request: ClaimRequest): Promise<ClaimOutcome> {
  try {
    const answer = await withinDeadline({ ms: claimRequestTimeoutMs, signal: request.signal }, (signal) =>
      post(request, signal),
    );
    return readAnswer(answer);
  } catch (error) {
    return { kind: 'unanswered', problem: `${request.url} does not answer: ${describeFault(error)}` };
  }
}

async function post({ url, secretKey, attempt }: ClaimRequest, signal: AbortSignal): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${secretKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ attempt }),
    // Followed, a redirect would turn the claim into a GET and carry the key to another address.
    redirect: 'manual',
    signal,
  });
  const text = await readBounded(response, claimAnswerBytesMax);
  return { url, status: response.status, date: response.headers.get('date'), text };
}

interface Answer {
  readonly url: string;
  readonly status: number;
  readonly date: string | null;
  readonly text: string;
}

function readAnswer(answer: Answer): ClaimOutcome {
  const { url, status } = answer;
  if (status === 200) return readGrant(answer);
  if (status === 409)
    return { kind: 'refused', problem: 'the server refused this attempt: the run or its session went on without it' };
  if (status === 404) return { kind: 'refused', problem: `${url} does not know this run` };
  if (status === 401 || status === 403) {
    return {
      kind: 'unauthorized',
      problem: `${url} answered ${status}: TRIGGER_SECRET_KEY is not a key of the run's environment`,
    };
  }
  const problem = `${url} answered ${status}`;
  return { kind: status >= 500 || passingStatuses.has(status) ? 'unanswered' : 'rejected', problem };
}

const grantSchema = z.object({
  sessionId: z.string(),
  runNumber: z.int(),
  attempt: z.int(),
  cursor: z.int(),
  deadlineAt: z.iso.datetime({ offset: true }).nullable(),
  attemptKey: z.string().min(1),
});

function readGrant({ url, date, text }: Answer): ClaimOutcome {
  const parsed = grantSchema.safeParse(parseJson(text));
  // A proxy or another server in the way: it may be gone with the next try.
  if (!parsed.success) return { kind: 'unanswered', problem: `${url} answered 200 without a claim` };
  const { deadlineAt, ...claim } = parsed.data;
  const deadlineAtMs = deadlineAt === null ? null : Date.parse(deadlineAt) + clockAheadMs(date, Date.now());
  return { kind: 'granted', claim: { ...claim, deadlineAtMs } };
}

/** Clocks closer than this are called equal: the header counts whole seconds, and the answer took its time. */
const clockToleranceMs = 2_000;

/**
 * A deadline comes as a moment of the server's clock; a worker whose clock is wrong must not cut its runs.
 * @param date the answer's Date header
 * @returns how far this machine's clock is ahead of the server's
 */
export function clockAheadMs(date: string | null, nowMs: number): number {
  const serverMs = date === null ? Number.NaN : Date.parse(date);
  const aheadMs = nowMs - serverMs;
  return Number.isNaN(aheadMs) || Math.abs(aheadMs) < clockToleranceMs ? 0 : aheadMs;
}
