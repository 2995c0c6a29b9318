/** Public tokens from callers. */
import { createHash } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { bearerBytesMax } from '../domain/limits.ts';
import type { KeyRing } from './key-ring.ts';
import { tokenAudience, tokenIssuer } from './sign.ts';
import { type SignedToken, unverifiedClaims, verifySigned } from './verify-signed.ts';

export type VerifiedToken = Omit<SignedToken, 'claims'> & {
  readonly scopes: readonly string[];
  /** Null for a token of any number of uses. */
  readonly once: OneTimeToken | null;
};

export interface OneTimeToken {
  /** SHA-256 of what the signature covers: of the signature itself there is more than one spelling. */
  readonly digest: Uint8Array;
  readonly expiresAtSeconds: number;
}

export type TokenVerdict =
  | VerifiedToken
  /** Not a public token at all: three segments and `pub: true` make one. */
  | { readonly kind: 'other' }
  /** Names no environment that exists. */
  | { readonly kind: 'unowned' }
  /** Too long, forged, altered, expired, not yet valid, meant for somebody else, or ordered by a key that is over. */
  | { readonly kind: 'invalid' };

/** Three segments; no secret key has them. */
export const isTokenShaped = (text: string): boolean => text.split('.', 4).length === 3;

export async function verifyPublicToken(keys: KeyRing, token: string): Promise<TokenVerdict> {
  if (!isTokenShaped(token)) return { kind: 'other' };
  if (token.length > bearerBytesMax) return { kind: 'invalid' };
  if (unverifiedClaims(token)?.['pub'] !== true) return { kind: 'other' };
  const verdict = await verifySigned(keys, token, { issuer: tokenIssuer, audience: tokenAudience });
  if (verdict.kind !== 'valid') return verdict;
  const { claims, ...verified } = verdict;
  const once = claims['otu'] === true ? oneTimeToken(token, claims.exp ?? 0) : null;
  return { ...verified, scopes: scopesOf(claims), once };
}

function oneTimeToken(token: string, expiresAtSeconds: number): OneTimeToken {
  const signed = token.slice(0, token.lastIndexOf('.'));
  return { digest: createHash('sha256').update(signed).digest(), expiresAtSeconds };
}

export function scopesOf(claims: JWTPayload): readonly string[] {
  const scopes = claims['scopes'];
  return Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : [];
}
