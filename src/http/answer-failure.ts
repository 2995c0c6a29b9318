/** The one place that knows how a failure looks on the wire (protocol sections 1.3 and 3.2). */
import type { Middleware } from 'koa';
import { Unavailable } from '../domain/failure.ts';
import { recordMeteredBytesMax, retryAfterSeconds, waitpointTagsMax } from '../domain/limits.ts';
import type { Observe } from '../observe/facts.ts';
import { overRateHeaders } from './rate-headers.ts';
import { type HttpFailure, Refusal } from './refusal.ts';
import type { Exchange, RequestState } from './route.ts';

export interface Answer {
  readonly status: number;
  /** Empty text where the protocol wants no body. */
  readonly body: { readonly error: string; readonly [key: string]: unknown } | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The SDK retries a 409 unless it is told not to (protocol section 1.2). */
const neverRetry = { 'x-should-retry': 'false' };

const fencedText = 'Another attempt or run writes for this session now';

const ended = (word: 'closed' | 'expired'): Answer => ({
  status: 409,
  body: { error: `Session is ${word}; use a different externalId to create a new session` },
  headers: neverRetry,
});

const unauthenticated = (error: string): Answer => ({ status: 401, body: { error } });

/** In the shape that the client waits by (protocol section 1.2); a place is free when somebody leaves, which nobody knows. */
function crowded(error: string, limit: number): Answer {
  const nowMs = Date.now();
  const reading = { max: limit, left: 0, resetAtMs: nowMs + retryAfterSeconds * 1_000, isOver: true };
  return { status: 429, body: { error }, headers: overRateHeaders(reading, nowMs) };
}

type Answers = { readonly [Code in HttpFailure['code']]: (failure: Extract<HttpFailure, { code: Code }>) => Answer };

const answers: Answers = {
  session_closed: () => ended('closed'),
  session_expired: () => ended('expired'),
  session_not_found: () => ({ status: 404, body: { error: 'Session not found' } }),
  run_not_found: () => ({ status: 404, body: { error: 'Run not found' } }),
  waitpoint_not_found: () => ({ status: 404, body: { error: 'Waitpoint not found' } }),
  resource_not_found: () => ({ status: 404, body: { error: 'Resource not found' } }),
  calling_run_not_found: () => ({ status: 404, body: { error: 'callingRunId not found in this environment' } }),
  hand_over_ended: ({ state }) => ({
    status: 400,
    body: { error: `Cannot end-and-continue ${state === 'closed' ? 'a closed' : 'an expired'} session` },
  }),
  external_id_fixed: () => ({
    status: 422,
    body: {
      error:
        'externalId cannot be changed after creation; close this session and create a new one with the desired externalId',
    },
  }),
  claim_refused: () => ({
    status: 409,
    body: { error: 'Claim refused', code: 'claim_refused' },
    headers: neverRetry,
  }),
  run_superseded: () => ({
    status: 409,
    body: { error: 'The run is over or superseded', code: 'run_superseded' },
    headers: neverRetry,
  }),
  too_many_waitpoint_tags: ({ count }) => ({
    status: 422,
    body: { error: `Waitpoints can only have ${waitpointTagsMax} tags, you're trying to set ${count}.` },
  }),
  scope_missing: () => ({
    status: 403,
    body: { error: 'Unauthorized', code: 'unauthorized', param: 'access_token', type: 'authorization' },
  }),
  invalid_body: ({ message, details }) => ({ status: 422, body: { error: message, details } }),
  append_to_closed: ({ closedReason }) => ({
    status: 409,
    body: {
      ok: false,
      error: 'Cannot append to a closed session',
      code: 'session_closed',
      ...(closedReason === null ? {} : { closedReason }),
    },
    headers: neverRetry,
  }),
  append_to_expired: () => ({ status: 400, body: { ok: false, error: 'Cannot append to an expired session' } }),
  append_fenced: () => ({
    status: 409,
    body: { ok: false, error: fencedText, code: 'attempt_fenced' },
    headers: neverRetry,
  }),
  append_seq_mismatch: ({ next }) => ({ status: 412, body: { ok: false, error: `The next seq is ${next}` } }),
  append_needs_secret_key: () => ({
    status: 403,
    body: { ok: false, error: 'Appending to the out channel requires secret key authentication' },
  }),
  record_too_large: ({ meteredBytes }) => ({
    status: 413,
    body: {
      ok: false,
      error: `Record metered size ${meteredBytes} bytes exceeds the S2 per-record limit of ${recordMeteredBytesMax} bytes. Reduce tool-output size or split into smaller parts.`,
    },
  }),
  record_too_deep: () => ({ status: 400, body: { ok: false, error: 'The record is nested too deeply' } }),
  appends_crowded: () => ({
    status: 503,
    body: { ok: false, error: 'Too many appends are waiting; try again' },
    headers: { 'Retry-After': String(retryAfterSeconds) },
  }),
  waits_crowded: ({ limit }) => crowded('Too many waits on this stream; try again', limit),
  waiters_crowded: ({ limit }) => crowded('Too many calls wait; try again', limit),
  readers_crowded: ({ limit }) => crowded('Too many readers; try again', limit),
  rate_limited: ({ reading }) => ({
    status: 429,
    body: { error: 'Rate limit exceeded; try again later' },
    headers: overRateHeaders(reading, Date.now()),
  }),
  locked_out: ({ reading }) => ({
    status: 429,
    body: { error: 'Too many invalid credentials from this address; try again later' },
    headers: overRateHeaders(reading, Date.now()),
  }),
  snapshots_crowded: () => ({
    status: 503,
    body: { error: 'Too many snapshots are under way; try again' },
    headers: { 'Retry-After': String(retryAfterSeconds) },
  }),
  snapshot_refused: () => ({
    status: 409,
    body: { error: 'Another attempt serves this session', code: 'snapshot_refused' },
    headers: neverRetry,
  }),
  writer_needs_secret_key: ({ direction }) => ({
    status: 403,
    body: `Initializing the ${direction} channel requires secret key authentication`,
  }),
  writer_session_missing: () => ({ status: 404, body: 'Session not found' }),
  writer_session_closed: () => ({ status: 400, body: 'Cannot initialize a channel on a closed session' }),
  invalid_timeout: ({ message }) => ({ status: 400, body: message }),
  unavailable: ({ part }) => ({
    status: 503,
    body: { error: `The ${part} is not available; try again` },
    headers: { 'Retry-After': String(retryAfterSeconds) },
  }),
  signature_invalid: () => ({ status: 403, body: { error: 'The URL is invalid or has expired' } }),
  credential_missing: () => unauthenticated('Invalid or Missing API key'),
  key_unknown: () => unauthenticated('Invalid API key'),
  token_unowned: () => unauthenticated('Invalid Public Access Token'),
  token_invalid: () => unauthenticated('Public Access Token is invalid'),
  token_used: () => unauthenticated('Public Access Token was already used'),
  key_cannot_sign: () => ({
    status: 403,
    body: {
      error: 'An additional API key cannot sign public tokens; order them at /api/v1/auth/public-tokens',
      code: 'key_cannot_sign',
    },
  }),
  scopes_exceed_key: ({ deniedScopes }) => ({
    status: 403,
    body: { error: "Requested scopes exceed the API key's access", code: 'scopes_exceed_key_access', deniedScopes },
  }),
  not_found: ({ retry }) => ({
    status: 404,
    body: { error: 'Not found' },
    headers: { 'x-should-retry': String(retry) },
  }),
  path_unknown: () => ({ status: 404, body: { error: 'Not found' } }),
  method_not_allowed: ({ allow, method }) => ({
    status: 405,
    body: method === 'GET' || method === 'HEAD' ? '' : { error: 'Method not allowed' },
    headers: { Allow: allow.join(', ') },
  }),
  invalid_query: ({ details }) => ({ status: 400, body: { error: 'Query Error', details } }),
  invalid_params: ({ details }) => ({ status: 400, body: { error: 'Params Error', details } }),
  body_too_large: () => ({ status: 413, body: { error: 'Request body too large' } }),
  body_too_slow: () => ({ status: 408, body: { error: 'Request body did not arrive in time' } }),
  token_order_invalid: ({ message, issues }) => ({
    status: 400,
    body: { error: message, ...(issues === undefined ? {} : { issues }) },
  }),
  body_malformed: ({ message }) => ({ status: 400, body: { error: message } }),
};

/** What a 500 says, where the protocol has no text of its own for it. */
export const faultBody = { error: 'Something went wrong' } as const;

/** Everything that a route throws ends here; nothing of a fault leaves but that there was one. */
export function answerFailures(observe: Observe): Middleware<RequestState> {
  return async (exchange, next) => {
    try {
      await next();
    } catch (thrown) {
      answer(exchange, answerTo(exchange, { thrown, observe }));
    }
  };
}

function answerTo({ state }: Exchange, { thrown, observe }: { thrown: unknown; observe: Observe }): Answer {
  const failure = failureIn(thrown);
  const where = { requestId: state.requestId, route: state.route?.path ?? null, error: thrown };
  if (failure === null) {
    observe({ kind: 'request_failed', ...where });
    return { status: 500, body: state.route?.faultBody ?? faultBody };
  }
  if (failure.code === 'unavailable') observe({ kind: 'part_unavailable', ...where });
  return answerOf(failure);
}

/** A failure as every route answers it. */
export function answerOf(failure: HttpFailure): Answer {
  // The table is keyed by the code, so its entry takes just this failure.
  return (answers[failure.code] as (failure: HttpFailure) => Answer)(failure);
}

function failureIn(thrown: unknown): HttpFailure | null {
  if (thrown instanceof Refusal) return thrown.failure;
  return thrown instanceof Unavailable ? { code: 'unavailable', part: thrown.part } : null;
}

function answer(exchange: Exchange, { status, body, headers }: Answer): void {
  exchange.status = status;
  exchange.body = body;
  if (headers !== undefined) exchange.set(headers);
}
