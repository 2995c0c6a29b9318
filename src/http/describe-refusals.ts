/** Which refusals a route can give, and what each looks like in the API document. */
import type { ZodType } from 'zod';
import type { HttpFailure } from './refusal.ts';
import type { Route } from './route.ts';
import {
  channelError,
  codedError,
  deniedScopesError,
  errorResponse,
  errorWithDetails,
  tokenOrderError,
} from './wire-schemas.ts';

type Code = HttpFailure['code'];

interface DescribedRefusal<Failure> {
  /** One that can happen: the document shows how it is answered. */
  readonly sample: Failure;
  /** Null: plain text. */
  readonly schema: ZodType | null;
}

type DescribedRefusals = { readonly [Key in Code]: DescribedRefusal<Extract<HttpFailure, { code: Key }>> };

const details = (message: string, path: string) => [{ code: 'custom', message, path: [path] }];
const plain = <Key extends Code>(code: Key) => ({ sample: { code }, schema: errorResponse });

/** Past: what is derived from the clock is the same in every document. */
const overRate = { max: 600, left: 0, resetAtMs: 1_700_000_000_000, isOver: true };

export const describedRefusals: DescribedRefusals = {
  session_closed: plain('session_closed'),
  session_expired: plain('session_expired'),
  session_not_found: plain('session_not_found'),
  run_not_found: plain('run_not_found'),
  resource_not_found: plain('resource_not_found'),
  calling_run_not_found: plain('calling_run_not_found'),
  hand_over_ended: { sample: { code: 'hand_over_ended', state: 'closed' }, schema: errorResponse },
  external_id_fixed: plain('external_id_fixed'),
  waitpoint_not_found: plain('waitpoint_not_found'),
  run_superseded: { sample: { code: 'run_superseded' }, schema: codedError },
  waits_crowded: { sample: { code: 'waits_crowded', limit: 1_000 }, schema: errorResponse },
  waiters_crowded: { sample: { code: 'waiters_crowded', limit: 1_000 }, schema: errorResponse },
  too_many_waitpoint_tags: { sample: { code: 'too_many_waitpoint_tags', count: 11 }, schema: errorResponse },
  claim_refused: { sample: { code: 'claim_refused' }, schema: codedError },
  scope_missing: { sample: { code: 'scope_missing' }, schema: codedError },
  invalid_body: {
    sample: {
      code: 'invalid_body',
      message: 'Validation error: Too small: expected string to have >=1 characters at "type"',
      details: details('Too small: expected string to have >=1 characters', 'type'),
    },
    schema: errorWithDetails,
  },
  append_to_closed: { sample: { code: 'append_to_closed', closedReason: 'done' }, schema: channelError },
  append_to_expired: { sample: { code: 'append_to_expired' }, schema: channelError },
  append_fenced: { sample: { code: 'append_fenced' }, schema: channelError },
  append_seq_mismatch: { sample: { code: 'append_seq_mismatch', next: 7 }, schema: channelError },
  record_too_large: { sample: { code: 'record_too_large', meteredBytes: 1_048_600 }, schema: channelError },
  record_too_deep: { sample: { code: 'record_too_deep' }, schema: channelError },
  appends_crowded: { sample: { code: 'appends_crowded' }, schema: channelError },
  readers_crowded: { sample: { code: 'readers_crowded', limit: 1_000 }, schema: errorResponse },
  unavailable: { sample: { code: 'unavailable', part: 'temporal' }, schema: errorResponse },
  credential_missing: plain('credential_missing'),
  key_unknown: plain('key_unknown'),
  token_unowned: plain('token_unowned'),
  token_invalid: plain('token_invalid'),
  token_used: plain('token_used'),
  key_cannot_sign: { sample: { code: 'key_cannot_sign' }, schema: codedError },
  scopes_exceed_key: {
    sample: { code: 'scopes_exceed_key', deniedScopes: ['write:sessions'] },
    schema: deniedScopesError,
  },
  not_found: { sample: { code: 'not_found', retry: false }, schema: errorResponse },
  path_unknown: plain('path_unknown'),
  method_not_allowed: { sample: { code: 'method_not_allowed', allow: ['POST'], method: 'PUT' }, schema: errorResponse },
  append_needs_secret_key: { sample: { code: 'append_needs_secret_key' }, schema: channelError },
  snapshots_crowded: plain('snapshots_crowded'),
  snapshot_refused: { sample: { code: 'snapshot_refused' }, schema: codedError },
  signature_invalid: plain('signature_invalid'),
  rate_limited: { sample: { code: 'rate_limited', reading: overRate }, schema: errorResponse },
  locked_out: { sample: { code: 'locked_out', reading: overRate }, schema: errorResponse },
  writer_needs_secret_key: { sample: { code: 'writer_needs_secret_key', direction: 'out' }, schema: null },
  writer_session_missing: { sample: { code: 'writer_session_missing' }, schema: null },
  writer_session_closed: { sample: { code: 'writer_session_closed' }, schema: null },
  invalid_timeout: { sample: { code: 'invalid_timeout', message: 'Invalid timeout seconds' }, schema: null },
  invalid_query: {
    sample: { code: 'invalid_query', details: details('Invalid cursor', 'page[after]') },
    schema: errorWithDetails,
  },
  invalid_params: {
    sample: { code: 'invalid_params', details: details('Expected percent-encoded UTF-8 without U+0000', 'session') },
    schema: errorWithDetails,
  },
  body_too_large: plain('body_too_large'),
  body_too_slow: plain('body_too_slow'),
  body_malformed: { sample: { code: 'body_malformed', message: 'Invalid JSON' }, schema: errorResponse },
  token_order_invalid: {
    sample: { code: 'token_order_invalid', message: 'Invalid expiration time' },
    schema: tokenOrderError,
  },
};

/** The refusals that a route says it has, and those that all routes of its kind have. */
export function refusalsOf({ path, credential, operation }: Route): readonly Code[] {
  const { body, refusals = [] } = operation;
  return [
    ...(path.includes(':') ? (['invalid_params'] as const) : []),
    ...(body === undefined ? [] : bodyRefusals(body)),
    ...credentialRefusals(credential),
    ...refusals,
  ];
}

const keyRefusals = ['credential_missing', 'key_unknown', 'rate_limited', 'locked_out', 'unavailable'] as const;

function credentialRefusals(credential: Route['credential']): readonly Code[] {
  switch (credential) {
    case 'none':
      return [];
    case 'scoped secret':
      return [...keyRefusals];
    case 'secret':
      return [...keyRefusals, 'scope_missing'];
    case 'secret or public':
      return [...keyRefusals, 'token_unowned', 'token_invalid', 'token_used', 'scope_missing'];
  }
}

function bodyRefusals(body: NonNullable<Route['operation']['body']>): readonly Code[] {
  if ('rawBytesMax' in body) return ['body_too_slow', 'body_too_large', 'body_malformed'];
  return body.refusals === 'detailed'
    ? ['body_too_slow', 'invalid_body']
    : ['body_too_slow', 'body_too_large', 'body_malformed'];
}
