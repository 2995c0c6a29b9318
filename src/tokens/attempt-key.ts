/**
 * The credential of one attempt: what a secret key opens, and the name of the attempt, so that its writes can be told
 * from those of another. Its form is that of the SDK's own run tokens: the SDK then asks the server for public tokens
 * instead of signing them with what is no root key.
 */
import { SignJWT } from 'jose';
import type { ClaimedAttempt } from '../domain/attempt.ts';
import { type Environment, parseRunId, parseSessionId } from '../domain/ids.ts';
import { attemptDurationDefaultSeconds, attemptKeySlackSeconds } from '../domain/limits.ts';
import type { Grant } from '../domain/scope.ts';
import type { KeyRing } from './key-ring.ts';
import { newestRootKey } from './key-ring.ts';
import { tokenAlgorithm, tokenIssuer } from './sign.ts';
import { scopesOf } from './verify.ts';
import { unverifiedClaims, verifySigned } from './verify-signed.ts';

const keyType = 'run+jwt';
const keyAudience = 'trigger:api';
const keyUse = 'run';

export interface AttemptKeyOrder {
  readonly environment: Environment;
  readonly attempt: ClaimedAttempt;
  readonly ttlSeconds: number;
  /** Of whoever claims: its attempt may do no more, and is over when it is. */
  readonly claimant: { readonly grant: Grant; readonly restrictedKeyId: string | null };
}

/** Under the newest root key: revoking the environment's keys ends the credentials that came of them. */
export async function signAttemptKey(keys: KeyRing, order: AttemptKeyOrder): Promise<string> {
  const { environment, attempt, ttlSeconds, claimant } = order;
  const { grant, restrictedKeyId: mintedBy } = claimant;
  const scopes = grant.kind === 'all' ? ['admin'] : grant.scopes;
  const issuedAtSeconds = Math.floor(Date.now() / 1_000);
  return new SignJWT({ token_use: keyUse, scopes, ...(mintedBy === null ? {} : { mintedBy }), ...attempt })
    .setProtectedHeader({ alg: tokenAlgorithm, typ: keyType })
    .setSubject(environment.id)
    .setIssuer(tokenIssuer)
    .setAudience(keyAudience)
    .setIssuedAt(issuedAtSeconds)
    .setExpirationTime(issuedAtSeconds + ttlSeconds)
    .sign(await newestRootKey(keys, environment));
}

/** @param deadlineAt end of the run's `maxDuration`, null without one */
export function attemptKeyTtlSeconds(deadlineAt: Date | null, nowMs: number): number {
  const leftSeconds = deadlineAt === null ? 0 : Math.ceil((deadlineAt.getTime() - nowMs) / 1_000);
  return Math.max(attemptDurationDefaultSeconds, leftSeconds) + attemptKeySlackSeconds;
}

export interface AttemptKeyOwner {
  readonly environment: Environment;
  readonly attempt: ClaimedAttempt;
  readonly grant: Grant;
  /** Of the key that signed it. */
  readonly keyId: string;
  /** Of the additional key that claimed with it; null for a root key. */
  readonly mintedBy: string | null;
}

/** `other`: no attempt key at all. Null: one that opens nothing. */
export async function verifyAttemptKey(keys: KeyRing, key: string): Promise<AttemptKeyOwner | 'other' | null> {
  if (unverifiedClaims(key)?.['token_use'] !== keyUse) return 'other';
  const verdict = await verifySigned(keys, key, { issuer: tokenIssuer, audience: keyAudience, typ: keyType });
  const attempt = verdict.kind === 'valid' ? claimedAttemptIn(verdict.claims) : null;
  if (verdict.kind !== 'valid' || attempt === null) return null;
  const { environment, keyId, mintedBy, claims } = verdict;
  const grant: Grant = mintedBy === null ? { kind: 'all' } : { kind: 'scopes', scopes: scopesOf(claims) };
  return { environment, attempt, grant, keyId, mintedBy };
}

/** The attempt that a verified token names; null when it names none. */
export function claimedAttemptIn(claims: Readonly<Record<string, unknown>>): ClaimedAttempt | null {
  const sessionId = parseSessionId(String(claims['sessionId']));
  const runId = parseRunId(String(claims['runId']));
  const { runNumber, attempt } = claims as { runNumber?: unknown; attempt?: unknown };
  if (sessionId === null || runId === null || !isCount(runNumber) || !isCount(attempt)) return null;
  return { sessionId, runId, runNumber, attempt };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
