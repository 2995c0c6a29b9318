/** Who asks: a secret key or an attempt's key opens its whole environment, a public token what its scopes grant. */

import { bearerBytesMax } from '../domain/limits.ts';
import { verifyAttemptKey } from '../tokens/attempt-key.ts';
import type { KeyRing } from '../tokens/key-ring.ts';
import { verifyPublicToken } from '../tokens/verify.ts';
import { refuse } from './refusal.ts';
import type { Caller, Route } from './route.ts';

/** The caller behind an `Authorization` header; refuses in the words of protocol section 1.3. */
export async function authenticate(
  keys: KeyRing,
  authorization: string,
  accepted: Exclude<Route['credential'], 'none'>,
): Promise<Caller> {
  const bearer = /^bearer +([\x21-\x7e]+) *$/i.exec(authorization)?.[1];
  if (bearer === undefined) return refuse({ code: 'credential_missing' });

  const verdict = await verifyPublicToken(keys, bearer);
  if (verdict.kind === 'other') return secretCaller(keys, bearer);
  if (accepted === 'secret') return refuse({ code: 'key_unknown' });
  switch (verdict.kind) {
    case 'valid':
      return {
        environment: verdict.environment,
        grant: { kind: 'scopes', scopes: verdict.scopes },
        kind: 'public',
        attempt: null,
      };
    case 'unowned':
      return refuse({ code: 'token_unowned' });
    case 'invalid':
      return refuse({ code: 'token_invalid' });
  }
}

async function secretCaller(keys: KeyRing, secretKey: string): Promise<Caller> {
  const owner = await verifyAttemptKey(keys, secretKey);
  if (owner === null) return refuse({ code: 'key_unknown' });
  if (owner !== 'other') return { ...owner, grant: { kind: 'all' }, kind: 'secret' };
  const environment = secretKey.length > bearerBytesMax ? null : await keys.environmentOf(secretKey);
  if (environment === null) return refuse({ code: 'key_unknown' });
  return { environment, grant: { kind: 'all' }, kind: 'secret', attempt: null };
}
