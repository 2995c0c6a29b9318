/**
 * Tokens under an environment's root keys. Nothing in an unverified token is trusted, except `sub` to find the keys
 * it must be signed with; the algorithm is ours and never the token's.
 */
import { decodeJwt, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { Environment } from '../domain/ids.ts';
import { bearerBytesMax } from '../domain/limits.ts';
import type { KeyOwner, KeyRing, RootKey } from './key-ring.ts';
import { tokenAlgorithm } from './sign.ts';

export type SignedVerdict =
  | { readonly kind: 'valid'; readonly environment: Environment; readonly claims: JWTPayload }
  /** Names no environment that exists. */
  | { readonly kind: 'unowned' }
  /** Too long, forged, altered, expired, not yet valid, or meant for somebody else. */
  | { readonly kind: 'invalid' };

/** What a token must say beside being signed and unexpired. */
export type TokenRules = Pick<JWTVerifyOptions, 'issuer' | 'audience' | 'typ'>;

/** The claims of what looks like a token, unverified; null when it is none. */
export function unverifiedClaims(token: string): JWTPayload | null {
  if (token.split('.', 4).length !== 3 || token.length > bearerBytesMax) return null;
  try {
    return decodeJwt(token);
  } catch (error) {
    if (error instanceof errors.JOSEError) return null;
    throw error;
  }
}

export async function verifySigned(keys: KeyRing, token: string, rules: TokenRules): Promise<SignedVerdict> {
  const subject = unverifiedClaims(token)?.sub;
  const owner = typeof subject === 'string' ? await keys.owner(subject) : null;
  return owner === null ? { kind: 'unowned' } : verifyForOwner(keys, { token, rules }, owner);
}

interface Check {
  readonly token: string;
  readonly rules: TokenRules;
}

async function verifyForOwner(keys: KeyRing, check: Check, owner: KeyOwner): Promise<SignedVerdict> {
  const verdict = await verifyWithAny(check, owner.keys);
  if (verdict !== 'mismatch') return verdict;
  // It may be signed with a key that is younger than the snapshot: one more look, at newer keys only.
  const tried = new Set(owner.keys.map((key) => key.id));
  const later = await keys.owner(owner.environment.id, tried);
  const untried = later?.keys.filter((key) => !tried.has(key.id)) ?? [];
  const lastVerdict = await verifyWithAny(check, untried);
  return lastVerdict === 'mismatch' ? { kind: 'invalid' } : lastVerdict;
}

async function verifyWithAny(check: Check, keys: readonly RootKey[]): Promise<SignedVerdict | 'mismatch'> {
  for (const key of keys) {
    const verdict = await verifyWith(check, key);
    if (verdict !== 'mismatch') return verdict;
  }
  return 'mismatch';
}

async function verifyWith({ token, rules }: Check, key: RootKey): Promise<SignedVerdict | 'mismatch'> {
  try {
    const options = { algorithms: [tokenAlgorithm], requiredClaims: ['exp'], ...rules };
    const { payload } = await jwtVerify(token, key.signingKey, options);
    return { kind: 'valid', environment: key.environment, claims: payload };
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return 'mismatch';
    if (error instanceof errors.JOSEError) return { kind: 'invalid' };
    throw error;
  }
}
