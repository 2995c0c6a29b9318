/**
 * The calls that an attempt makes for its session, all over the public HTTP API and with the attempt's own
 * credential. What may pass is repeated until the deadline; repeating is safe, because records carry part ids
 * and cursors only move forward.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { withinDeadline } from '../../deadline.ts';
import {
  callAnswerBytesMax,
  callDeadlineMs,
  callRequestTimeoutMs,
  callRetryFirstMs,
  callRetryMaxMs,
} from '../../domain/task-limits.ts';
import { describeFault, jittered, parseJson, passingStatuses, readBounded } from '../http-answer.ts';
import { SessionError } from './session-error.ts';

export interface SessionApiOptions {
  /** The server's URL, without a trailing slash. */
  readonly url: string;
  /** Bearer of every call. */
  readonly credential: string;
  /** Aborted when the attempt is over: nothing is sent any more. */
  readonly over: AbortSignal;
  /** Called when the server says that this attempt no longer writes for the session. */
  readonly onSuperseded: () => void;
  /** How long to go on asking a server that does not answer. */
  readonly deadlineMs?: number;
}

export interface SessionCall {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly path: string;
  /** JSON text. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the call early; its reason is thrown. */
  readonly signal?: AbortSignal;
}

export interface CallAnswer {
  readonly headers: Headers;
  /** Undefined when it is no JSON. */
  readonly body: unknown;
}

export interface SessionApi {
  /** @throws SessionError */
  call(call: SessionCall): Promise<CallAnswer>;
  /**
   * Begins one try, for answers that go on; the caller reads the body, and ends it by the signal.
   * @throws SessionError; `unreachable` when another try may fare better
   */
  open(call: SessionCall & { readonly signal: AbortSignal }): Promise<Response>;
}

export function openSessionApi(options: SessionApiOptions): SessionApi {
  return {
    call: (call) => callUntilAnswered(options, call),
    open: (call) => request(options, call, call.signal),
  };
}

async function callUntilAnswered(options: SessionApiOptions, call: SessionCall): Promise<CallAnswer> {
  const giveUpAt = Date.now() + (options.deadlineMs ?? callDeadlineMs);
  const ends = call.signal === undefined ? options.over : AbortSignal.any([options.over, call.signal]);
  for (let pauseMs = callRetryFirstMs; ; pauseMs = Math.min(pauseMs * 2, callRetryMaxMs)) {
    ends.throwIfAborted();
    try {
      return await answerInTime(options, call, ends);
    } catch (error) {
      ends.throwIfAborted();
      const leftMs = giveUpAt - Date.now();
      if (!isUnreachable(error) || leftMs <= 0) throw error;
      await delay(Math.min(jittered(pauseMs), leftMs), undefined, { signal: ends }).catch(() => undefined);
    }
  }
}

/** One try, with its whole answer. */
async function answerInTime(options: SessionApiOptions, call: SessionCall, ends: AbortSignal): Promise<CallAnswer> {
  try {
    return await withinDeadline({ ms: callRequestTimeoutMs, signal: ends }, async (signal) => {
      const response = await request(options, call, signal);
      const text = await readBounded(response, callAnswerBytesMax);
      return { headers: response.headers, body: parseJson(text) };
    });
  } catch (error) {
    if (error instanceof SessionError) throw error;
    throw unreachable(`${urlOf(options, call)} does not end its answer: ${describeFault(error)}`, error);
  }
}

const urlOf = ({ url }: SessionApiOptions, { path }: SessionCall): string => url + path;

const unreachable = (problem: string, cause?: unknown): SessionError =>
  new SessionError('unreachable', `${problem}; the server was asked until the deadline`, { cause });

const isUnreachable = (error: unknown): boolean => error instanceof SessionError && error.code === 'unreachable';

/** One try. */
async function request(options: SessionApiOptions, call: SessionCall, signal: AbortSignal): Promise<Response> {
  const url = urlOf(options, call);
  let response: Response;
  try {
    response = await fetch(url, {
      method: call.method,
      headers: {
        authorization: `Bearer ${options.credential}`,
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...call.headers,
      },
      ...(call.body === undefined ? {} : { body: call.body }),
      // Followed, a redirect would carry the credential to another address.
      redirect: 'manual',
      signal,
    });
  } catch (error) {
    throw unreachable(`${url} does not answer: ${describeFault(error)}`, error);
  }
  if (response.status === 200) return response;
  const text = await readBounded(response, callAnswerBytesMax).catch(() => '');
  const refusal = refusalOf({ url, status: response.status, body: parseJson(text) });
  if (refusal.code === 'superseded') options.onSuperseded();
  throw refusal;
}

interface Refused {
  readonly url: string;
  readonly status: number;
  readonly body: unknown;
}

/** Codes by which the server refuses an attempt that it has replaced (lifecycle section 5). */
const supersededCodes: ReadonlySet<unknown> = new Set(['attempt_fenced', 'run_superseded']);

function refusalOf({ url, status, body }: Refused): SessionError {
  const { error, code } = (body ?? {}) as { readonly error?: unknown; readonly code?: unknown };
  const answered = `${url} answered ${status}${typeof error === 'string' ? `: ${error}` : ''}`;
  if (status >= 500 || passingStatuses.has(status)) return unreachable(answered);
  if (supersededCodes.has(code)) {
    const advice = 'Another attempt or run serves this session now: return, and leave the rest to it';
    return new SessionError('superseded', `${answered}. ${advice}`);
  }
  if (code === 'session_closed' || error === 'Cannot append to an expired session') {
    return new SessionError('ended', `${answered}. Nothing more can be written for this session: return`);
  }
  const advice = status === 401 || status === 403 ? '. The key of this attempt is not accepted: was it revoked?' : '';
  return new SessionError('refused', `${answered}${advice}`);
}
