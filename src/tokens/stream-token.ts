/**
 * What opens one stream on the S2 data plane: bound to environment, stream and operations and, for a caller with an
 * attempt's key, to that attempt. It says by itself which stream it opens; the stream's name on the wire is only compared.
 */
import { createHash } from 'node:crypto';
import { SignJWT } from 'jose';
import type { ClaimedAttempt } from '../domain/attempt.ts';
import type { Environment } from '../domain/ids.ts';
import { directionOf, parseStreamName, type StreamName } from '../domain/stream.ts';
import { attemptKeyTtlSeconds, claimedAttemptIn } from './attempt-key.ts';
import { type KeyRing, newestRootKey } from './key-ring.ts';
import { tokenAlgorithm, tokenIssuer } from './sign.ts';
import { verifySigned } from './verify-signed.ts';

/** One for all: streams are told apart by name and token. */
export const s2Basin = 'perdure-sessions';

/** Of one that names no attempt. The SDK keeps a token for as long as it keeps the stream, a day at least. */
const ttlSeconds = 2 * 24 * 3_600;

const tokenType = 's2+jwt';
const audience = 'perdure:s2';

export type StreamOperation = 'append' | 'trim';

export interface WritableStream {
  readonly environment: Environment;
  /** Id of the session, or the external id of one that does not exist yet. */
  readonly key: string;
  readonly stream: StreamName;
  /** Null writes unfenced. */
  readonly attempt: ClaimedAttempt | null;
}

export interface StreamTokenOrder extends WritableStream {
  /** Id of the additional key that orders it, and that it ends with; null for a root key. */
  readonly mintedBy: string | null;
}

export interface StreamCredential {
  readonly token: string;
  readonly streamName: string;
}

/** What runs read is never trimmed: a run that comes later begins where the one before has stopped. */
const operationsOn = (stream: StreamName): readonly StreamOperation[] =>
  directionOf(stream) === 'in' ? ['append'] : ['append', 'trim'];

/** A token that names an attempt is worth nothing once that has ended, so it may live as long as the attempt can. */
const ttlSecondsOf = (attempt: ClaimedAttempt | null): number =>
  attempt === null ? ttlSeconds : attemptKeyTtlSeconds(null, 0);

export async function signStreamToken(keys: KeyRing, order: StreamTokenOrder): Promise<StreamCredential> {
  const { environment, key, stream, attempt, mintedBy } = order;
  const streamName = wireNameOf(order);
  const minted = mintedBy === null ? {} : { mintedBy };
  const claims = { key, stream, streamName, operations: operationsOn(stream), ...minted, ...attempt };
  const issuedAtSeconds = Math.floor(Date.now() / 1_000);
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: tokenAlgorithm, typ: tokenType })
    .setSubject(environment.id)
    .setIssuer(tokenIssuer)
    .setAudience(audience)
    .setIssuedAt(issuedAtSeconds)
    .setExpirationTime(issuedAtSeconds + ttlSecondsOf(attempt))
    .sign(await newestRootKey(keys, environment));
  return { token, streamName };
}

/** Goes into a header and a path segment, so it is plain ASCII without a slash; an external id is neither. */
function wireNameOf({ key, stream }: WritableStream): string {
  const session = /^session_[a-z0-9]+$/.test(key) ? key : `key_${createHash('sha256').update(key).digest('base64url')}`;
  return `${session}.${stream.replace('/', '.')}`;
}

export interface OpenedStream extends WritableStream {
  readonly operations: ReadonlySet<StreamOperation>;
}

/** Null: it opens nothing, or another stream than the one that is named. */
export async function verifyStreamToken(
  keys: KeyRing,
  { token, streamName }: StreamCredential,
): Promise<OpenedStream | null> {
  const verdict = await verifySigned(keys, token, { issuer: tokenIssuer, audience, typ: tokenType });
  if (verdict.kind !== 'valid' || verdict.claims['streamName'] !== streamName) return null;
  const { key, operations } = verdict.claims;
  const stream = parseStreamName(String(verdict.claims['stream']));
  if (typeof key !== 'string' || stream === null || !Array.isArray(operations)) return null;
  const attempt = claimedAttemptIn(verdict.claims);
  return { environment: verdict.environment, key, stream, attempt, operations: new Set(operations) };
}
