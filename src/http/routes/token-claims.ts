import { z } from 'zod';
import { refuse } from '../refusal.ts';
import { callerOf, type Route } from '../route.ts';

/**
 * What a client that holds a root key signs its public tokens from: the SDK takes the answer as it is, adds
 * scopes, and signs it with the very key that it sent (protocol section 2.3).
 */
export const tokenClaimsRoute: Route = {
  method: 'POST',
  path: '/api/v1/auth/jwt/claims',
  crossOrigin: false,
  credential: 'scoped secret',
  operation: {
    id: 'token_claims',
    tag: 'tokens',
    summary: 'Claims for a public token that the caller signs',
    description: 'Add `scopes` and an expiry, then sign with the secret key that made this call (HS256).',
    answers: {
      200: {
        description: 'The claims, to be taken as they are.',
        schema: z.object({ sub: z.string(), pub: z.literal(true) }).meta({ id: 'TokenClaimsResponseBody' }),
      },
    },
    refusals: ['key_cannot_sign'],
  },
  async answer(exchange) {
    const { environment, restrictedKeyId } = callerOf(exchange);
    if (restrictedKeyId !== null) return refuse({ code: 'key_cannot_sign' });
    exchange.body = { sub: environment.id, pub: true };
  },
};
