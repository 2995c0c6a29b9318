/**
 * Public tokens from callers. Nothing in an unverified token is trusted, except `sub` to find the keys
 * it must be signed with; the algorithm is ours and never the token's.
 */
import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import type { Environment } from '../domain/ids.ts';
import { bearerBytesMax } from '../domain/limits.ts';
import type { KeyOwner, KeyRing, RootKey } from './key-ring.ts';
import { tokenAlgorithm, tokenAudience, tokenIssuer } from './sign.ts';

export type TokenVerdict =
  | { readonly kind: 'valid'; readonly environment: Environment; readonly scopes: readonly string[] }
  /** Not a public token at all: three segments and `pub: true` make one. */
  | { readonly kind: 'other' }
  /** Names no environment that exists. */
  | { readonly kind: 'unowned' }
  /** Too long, forged, altered, expired, not yet valid, or meant for somebody else. */
  | { readonly kind: 'invalid' };

export async function verifyPublicToken(keys: KeyRing, token: string): Promise<TokenVerdict> {
  if (token.split('.', 4).length !== 3) return { kind: 'other' };
  if (token.length > bearerBytesMax) return { kind: 'invalid' };
  const claimed = unverifiedClaims(token);
  if (claimed?.['pub'] !== true) return { kind: 'other' };
  const owner = typeof claimed.sub === 'string' ? await keys.owner(claimed.sub) : null;
  return owner === null ? { kind: 'unowned' } : verifyForOwner(keys, token, owner);
}

async function verifyForOwner(keys: KeyRing, token: string, owner: KeyOwner): Promise<TokenVerdict> {
  const verdict = await verifyWithAny(token, owner.keys);
  if (verdict !== 'mismatch') return verdict;
  // It may be signed with a key that is younger than the snapshot: one more look, at newer keys only.
  const tried = new Set(owner.keys.map((key) => key.id));
  const later = await keys.owner(owner.environment.id, tried);
  const untried = later?.keys.filter((key) => !tried.has(key.id)) ?? [];
  const lastVerdict = await verifyWithAny(token, untried);
  return lastVerdict === 'mismatch' ? { kind: 'invalid' } : lastVerdict;
}

function unverifiedClaims(token: string): JWTPayload | null {
  try {
    return decodeJwt(token);
  } catch (error) {
    if (error instanceof errors.JOSEError) return null;
    throw error;
  }
}

async function verifyWithAny(token: string, keys: readonly RootKey[]): Promise<TokenVerdict | 'mismatch'> {
  for (const key of keys) {
    const verdict = await verifyWith(token, key);
    if (verdict !== 'mismatch') return verdict;
  }
  return 'mismatch';
}

async function verifyWith(token: string, key: RootKey): Promise<TokenVerdict | 'mismatch'> {
  try {
    const { payload } = await jwtVerify(token, key.signingKey, {
      algorithms: [tokenAlgorithm],
      issuer: tokenIssuer,
      audience: tokenAudience,
      requiredClaims: ['exp'],
    });
    return { kind: 'valid', environment: key.environment, scopes: scopesOf(payload) };
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return 'mismatch';
    if (error instanceof errors.JOSEError) return { kind: 'invalid' };
    throw error;
  }
}

function scopesOf(claims: JWTPayload): readonly string[] {
  const scopes = claims['scopes'];
  return Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : [];
}
