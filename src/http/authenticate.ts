/**
 * Who asks: a root key opens its whole environment; a restricted key, or a public token, what its scopes grant; an
 * attempt's key what the key opens that claimed it.
 */

import { bearerBytesMax } from '../domain/limits.ts';
import { permitsAll } from '../domain/scope.ts';
import { verifyAttemptKey } from '../tokens/attempt-key.ts';
import type { KeyRing } from '../tokens/key-ring.ts';
import {
  isTokenShaped,
  type OneTimeToken,
  type TokenVerdict,
  type VerifiedToken,
  verifyPublicToken,
} from '../tokens/verify.ts';
import { refuse } from './refusal.ts';
import type { Caller, Route } from './route.ts';

export interface Authenticated {
  readonly caller: Caller;
  /** Null for whatever may be shown again. */
  readonly once: OneTimeToken | null;
}

/** The caller behind an `Authorization` header; refuses in the words of protocol section 1.3. */
export async function authenticate(
  keys: KeyRing,
  authorization: string,
  accepted: Exclude<Route['credential'], 'none'>,
): Promise<Authenticated> {
  const bearer = /^bearer +([\x21-\x7e]+) *$/i.exec(authorization)?.[1];
  if (bearer === undefined) return refuse({ code: 'credential_missing' });

  // What is no token at all goes by the table of keys alone, and waits for nothing.
  const verdict: TokenVerdict = isTokenShaped(bearer) ? await verifyPublicToken(keys, bearer) : { kind: 'other' };
  if (verdict.kind === 'other') return { caller: await admittedSecret(keys, bearer, accepted), once: null };
  if (accepted !== 'secret or public') return refuse({ code: 'key_unknown' });
  switch (verdict.kind) {
    case 'valid':
      return { caller: publicCaller(verdict), once: verdict.once };
    case 'unowned':
      return refuse({ code: 'token_unowned' });
    case 'invalid':
      return refuse({ code: 'token_invalid' });
  }
}

const keysBehind = ({ keyId, mintedBy }: Pick<VerifiedToken, 'keyId' | 'mintedBy'>) => ({
  keyIds: mintedBy === null ? [keyId] : [keyId, mintedBy],
  restrictedKeyId: mintedBy,
});

const publicCaller = (token: VerifiedToken): Caller => ({
  environment: token.environment,
  grant: { kind: 'scopes', scopes: token.scopes },
  kind: 'public',
  attempt: null,
  ...keysBehind(token),
});

/** Where a route checks no scope there is no resource that one could name: only what grants everything grants this. */
async function admittedSecret(keys: KeyRing, secretKey: string, accepted: Route['credential']): Promise<Caller> {
  const caller = await secretCaller(keys, secretKey);
  return accepted === 'secret' && !permitsAll(caller.grant) ? refuse({ code: 'scope_missing' }) : caller;
}

async function secretCaller(keys: KeyRing, secretKey: string): Promise<Caller> {
  const owner = isTokenShaped(secretKey) ? await verifyAttemptKey(keys, secretKey) : 'other';
  if (owner === null) return refuse({ code: 'key_unknown' });
  if (owner !== 'other') {
    const { environment, attempt, grant } = owner;
    return { environment, attempt, grant, kind: 'secret', ...keysBehind(owner) };
  }
  const key = secretKey.length > bearerBytesMax ? null : await keys.keyOf(secretKey);
  if (key === null) return refuse({ code: 'key_unknown' });
  const { id, environment, grant } = key;
  const restrictedKeyId = key.kind === 'root' ? null : id;
  return { environment, grant, kind: 'secret', attempt: null, keyIds: [id], restrictedKeyId };
}
