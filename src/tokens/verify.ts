/** Public tokens from callers. */
import type { JWTPayload } from 'jose';
import type { Environment } from '../domain/ids.ts';
import { bearerBytesMax } from '../domain/limits.ts';
import type { KeyRing } from './key-ring.ts';
import { tokenAudience, tokenIssuer } from './sign.ts';
import { unverifiedClaims, verifySigned } from './verify-signed.ts';

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
  if (unverifiedClaims(token)?.['pub'] !== true) return { kind: 'other' };
  const verdict = await verifySigned(keys, token, { issuer: tokenIssuer, audience: tokenAudience });
  if (verdict.kind !== 'valid') return verdict;
  return { kind: 'valid', environment: verdict.environment, scopes: scopesOf(verdict.claims) };
}

function scopesOf(claims: JWTPayload): readonly string[] {
  const scopes = claims['scopes'];
  return Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : [];
}
