import { z } from 'zod';
import {
  bearerBytesMax,
  createBodyBytesMax,
  publicTokenTtlDefaultSeconds,
  publicTokenTtlMaxSeconds,
  tokenScopeLengthMax,
  tokenScopesMax,
} from '../../domain/limits.ts';
import { scopesBeyond } from '../../domain/scope.ts';
import { expirationSeconds } from '../../tokens/expiration-time.ts';
import { newestRootKey } from '../../tokens/key-ring.ts';
import { signPublicToken } from '../../tokens/sign.ts';
import type { HttpParts } from '../http-parts.ts';
import { readBody } from '../json-body.ts';
import type { JsonBody } from '../operation.ts';
import { refuse } from '../refusal.ts';
import { callerOf, type Route } from '../route.ts';
import { name, text } from '../session-fields.ts';

const malformed = 'Invalid request body';

const tokenFields = z.object({
  scopes: z.array(name(tokenScopeLengthMax)).min(1).max(tokenScopesMax),
  expirationTime: z.union([z.string(), z.number()]).optional(),
  oneTimeUse: z.boolean().optional(),
  realtime: z.object({ skipColumns: z.array(text(tokenScopeLengthMax)).max(tokenScopesMax).optional() }).optional(),
});

const tokenBody: JsonBody<z.output<typeof tokenFields>> = {
  schema: tokenFields.meta({ id: 'CreatePublicTokenRequestBody' }),
  bytesMax: createBodyBytesMax,
  refusals: 'plain',
  malformed,
};

/** For callers that cannot sign for themselves. Nobody may grant more than it has: a root key has its whole environment. */
export const publicTokensRoute = ({ keys }: HttpParts): Route => ({
  method: 'POST',
  path: '/api/v1/auth/public-tokens',
  crossOrigin: false,
  credential: 'scoped secret',
  operation: {
    id: 'create_public_token',
    tag: 'tokens',
    summary: 'Sign a public token',
    body: tokenBody,
    answers: {
      200: {
        description: 'A token that carries the scopes asked for.',
        schema: z.object({ token: z.string() }).meta({ id: 'CreatePublicTokenResponseBody' }),
      },
    },
    refusals: ['token_order_invalid', 'scopes_exceed_key'],
  },
  async answer(exchange) {
    const { environment, grant, restrictedKeyId } = callerOf(exchange);
    const order = await readBody(exchange, tokenBody);
    const deniedScopes = scopesBeyond(grant, order.scopes);
    if (deniedScopes.length > 0) return refuse({ code: 'scopes_exceed_key', deniedScopes });
    const nowSeconds = Math.floor(Date.now() / 1_000);
    const ttlSeconds = ttlOf(order.expirationTime ?? nowSeconds + publicTokenTtlDefaultSeconds, nowSeconds);
    const rootKey = await newestRootKey(keys, environment);
    const { scopes, realtime, oneTimeUse = false } = order;
    const token = await signPublicToken({
      environment,
      rootKey,
      scopes,
      ttlSeconds,
      issuedAtSeconds: nowSeconds,
      isOneTime: oneTimeUse,
      mintedBy: restrictedKeyId,
      ...(realtime === undefined ? {} : { realtime }),
    });
    // Signed, and then refused by every route, it would be of no use to anyone.
    if (token.length > bearerBytesMax) {
      const message = `The token would be longer than ${bearerBytesMax} bytes`;
      return refuse({
        code: 'token_order_invalid',
        message: malformed,
        issues: [{ code: 'too_big', message, path: ['scopes'] }],
      });
    }
    exchange.body = { token };
  },
});

/** From now on. */
function ttlOf(expirationTime: string | number, nowSeconds: number): number {
  const expiresAtSeconds = expirationSeconds(expirationTime, nowSeconds);
  const refuseTime = (message: string) => refuse({ code: 'token_order_invalid', message });
  if (expiresAtSeconds === null) return refuseTime('Invalid expiration time');
  const ttlSeconds = expiresAtSeconds - nowSeconds;
  if (ttlSeconds <= 0) return refuseTime('Expiration time must be in the future');
  return ttlSeconds <= publicTokenTtlMaxSeconds ? ttlSeconds : refuseTime('Expiration time cannot exceed 30 days');
}
