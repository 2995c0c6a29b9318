/** Public access tokens (protocol section 2.3), as the server mints them and as clients sign them for themselves. */
import { randomUUID } from 'node:crypto';
import { type CryptoKey, SignJWT } from 'jose';
import type { Environment } from '../domain/ids.ts';

export const tokenAlgorithm = 'HS256';
export const tokenIssuer = 'https://id.trigger.dev';
export const tokenAudience = 'https://api.trigger.dev';

/**
 * A root key as the engine wants it. Made once per key and kept: importing it on each signature would
 * cost more than the signature itself.
 */
export function importRootKey(secretKey: string): Promise<CryptoKey> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  return crypto.subtle.importKey('raw', new TextEncoder().encode(secretKey), algorithm, false, ['sign', 'verify']);
}

export interface PublicTokenOrder {
  readonly environment: Environment;
  /** From `importRootKey`. */
  readonly rootKey: CryptoKey;
  readonly scopes: readonly string[];
  readonly ttlSeconds: number;
  /** Seconds since 1970; default: now. */
  readonly issuedAtSeconds?: number;
  /** Good for one request. */
  readonly isOneTime?: boolean;
  /** Id of the additional key that orders it: when that one is over, so is the token. */
  readonly mintedBy?: string | null;
  /** For the SDK's subscriptions to runs; sessions take no notice of it. */
  readonly realtime?: { readonly skipColumns?: readonly string[] | undefined };
}

/** No two are alike: `jti` tells apart tokens of one second. */
export function signPublicToken(order: PublicTokenOrder): Promise<string> {
  const { scopes, realtime, isOneTime = false, mintedBy = null } = order;
  const { issuedAtSeconds = Math.floor(Date.now() / 1_000) } = order;
  return new SignJWT({
    pub: true,
    scopes,
    ...(realtime === undefined ? {} : { realtime }),
    ...(isOneTime ? { otu: true } : {}),
    ...(mintedBy === null ? {} : { mintedBy }),
  })
    .setProtectedHeader({ alg: tokenAlgorithm })
    .setSubject(order.environment.id)
    .setIssuer(tokenIssuer)
    .setAudience(tokenAudience)
    .setIssuedAt(issuedAtSeconds)
    .setExpirationTime(issuedAtSeconds + order.ttlSeconds)
    .setJti(randomUUID())
    .sign(order.rootKey);
}
