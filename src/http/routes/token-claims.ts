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
  async answer(exchange) {
    exchange.body = { sub: callerOf(exchange).environment.id, pub: true };
  },
};
