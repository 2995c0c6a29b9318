import { z } from 'zod';
import { callerOf, type Route } from '../route.ts';

/**
 * What a client that holds a root key signs its public tokens from: the SDK takes the answer as it is, adds
 * scopes, and signs it with the very key that it sent (protocol section 2.3).
 */
export const tokenClaimsRoute: Route = {
  method: 'POST',
  path: '/api/v1/auth/jwt/claims',
  crossOrigin: false,
  credential: 'secret',
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
  },
  async answer(exchange) {
    exchange.body = { sub: callerOf(exchange).environment.id, pub: true };
  },
};
