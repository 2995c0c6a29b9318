/** What a route is, and what it may know of its request. */
import type { ParameterizedContext } from 'koa';
import type { ClaimedAttempt } from '../domain/attempt.ts';
import type { Environment } from '../domain/ids.ts';
import type { Grant } from '../domain/scope.ts';
import type { Operation } from './operation.ts';
import { refuse } from './refusal.ts';

export interface Caller {
  readonly environment: Environment;
  readonly grant: Grant;
  readonly kind: 'secret' | 'public';
  /** Of whoever asks with the credential that a claim answered; what it writes for its own session is fenced. */
  readonly attempt: ClaimedAttempt | null;
  /** Of the keys that it rests on: it is over when one of them is. */
  readonly keyIds: readonly string[];
  /** The additional key that asks, or ordered the token that asks; null when only a root key stands behind it. */
  readonly restrictedKeyId: string | null;
}

/** Of one request; the log line is made from it. */
export interface RequestState {
  requestId: string;
  route?: Route;
  caller?: Caller;
  sessionId?: string;
  runId?: string;
  /** Of the path, as they came; split when the first is asked for. */
  segments?: readonly string[];
}

export type Exchange = ParameterizedContext<RequestState>;

export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  /** Pattern: a segment `:name` matches one raw segment, still percent-encoded. */
  readonly path: string;
  /** Whether browsers of any origin may call it (protocol section 1.4). */
  readonly crossOrigin: boolean;
  /**
   * `secret`: the route checks no scope, so of the restricted keys only one that may do everything is let in.
   * `scoped secret` and `secret or public`: the route checks the caller's grant itself.
   */
  readonly credential: 'none' | 'secret' | 'scoped secret' | 'secret or public';
  /** What a 500 says, where the protocol has a text of its own. */
  readonly faultBody?: { readonly ok?: false; readonly error: string };
  /** Its entry in the API document. */
  readonly operation: Operation;
  readonly answer: (exchange: Exchange) => Promise<void>;
}

/** Who asks. Only for routes that need a credential. */
export function callerOf(exchange: Exchange): Caller {
  if (exchange.state.caller === undefined) throw new Error('the route asks for a caller but for no credential');
  return exchange.state.caller;
}

/**
 * The decoded path segment `:name`. It is split off before it is decoded, so that an encoded slash stays
 * inside it.
 */
export function pathPart(exchange: Exchange, name: string): string {
  const { state } = exchange;
  const index = state.route === undefined ? -1 : segmentsOf(state.route).indexOf(`:${name}`);
  state.segments ??= exchange.path.split('/');
  const part = decodePart(state.segments[index] ?? '');
  if (part !== null) return part;
  const message = 'Expected percent-encoded UTF-8 without U+0000';
  return refuse({ code: 'invalid_params', details: [{ code: 'custom', message, path: [name] }] });
}

const segmentsOfRoutes = new WeakMap<Route, readonly string[]>();

function segmentsOf(route: Route): readonly string[] {
  const known = segmentsOfRoutes.get(route);
  if (known !== undefined) return known;
  const segments = route.path.split('/');
  segmentsOfRoutes.set(route, segments);
  return segments;
}

function decodePart(raw: string): string | null {
  if (!/^[\x21-\x7e]+$/.test(raw)) return null;
  try {
    const part = decodeURIComponent(raw);
    return part.includes('\0') ? null : part;
  } catch {
    return null;
  }
}
