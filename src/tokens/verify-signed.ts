/**
 * Tokens under an environment's root keys. Nothing in an unverified token is trusted, except `sub` to find the keys
 * it must be signed with; the algorithm is ours and never the token's.
 */
import { decodeJwt, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { Environment } from '../domain/ids.ts';
import { bearerBytesMax } from '../domain/limits.ts';
import type { KeyRing } from './key-ring.ts';
import type { KeyOwner, RootKey } from './keys.ts';
import { tokenAlgorithm } from './sign.ts';

export interface SignedToken {
  readonly kind: 'valid';
  readonly environment: Environment;
  readonly claims: JWTPayload;
  /** Of the key that signed it. */
  readonly keyId: string;
  /** Of the additional key that ordered it and that it ends with; null when it rests on its root key alone. */
  readonly mintedBy: string | null;
}

export type SignedVerdict =
  | SignedToken
  /** Names no environment that exists. */
  | { readonly kind: 'unowned' }
  /** Too long, forged, altered, expired, not yet valid, meant for somebody else, or ordered by a key that is over. */
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

type Keys = Pick<KeyRing, 'owner' | 'isLive'>;

export async function verifySigned(keys: Keys, token: string, rules: TokenRules): Promise<SignedVerdict> {
  const subject = unverifiedClaims(token)?.sub;
  const owner = typeof subject === 'string' ? await keys.owner(subject) : null;
  if (owner === null) return { kind: 'unowned' };
  const verdict = await verifyForOwner(keys, { token, rules }, owner);
  const outlived = verdict.kind === 'valid' && verdict.mintedBy !== null && !(await keys.isLive(verdict.mintedBy));
  return outlived ? { kind: 'invalid' } : verdict;
}

interface Check {
  readonly token: string;
  readonly rules: TokenRules;
}

async function verifyForOwner(keys: Keys, check: Check, owner: KeyOwner): Promise<SignedVerdict> {
  const verdict = await verifyWithAny(check, owner.keys);
  if (verdict !== 'mismatch') return verdict;
  // It may be signed with a key that is younger than the snapshot: one more look, at newer keys only.
  const tried = new Set(owner.keys.map((key) => key.id));
  const later = await keys.owner(owner.environment.id, tried);
  const untried = later?.keys.filter((key) => !tried.has(key.id)) ?? [];
  const lastVerdict = await verifyWithAny(check, untried);
  return lastVerdict === 'mismatch' ? { kind: 'invalid' } : lastVerdict;
}

/** Only a signature that does not match has the next key tried: those in the grace of a rotation come last. */
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
    const mintedBy = typeof payload['mintedBy'] === 'string' ? payload['mintedBy'] : null;
    return { kind: 'valid', environment: key.environment, claims: payload, keyId: key.id, mintedBy };
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return 'mismatch';
    if (error instanceof errors.JOSEError) return { kind: 'invalid' };
    throw error;
  }
}
