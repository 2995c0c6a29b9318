/** Who may ask now: a known credential, within its rate, from an address that has not tried too many unknown ones. */
import { createHash } from 'node:crypto';
import { isIP, isIPv6 } from 'node:net';
import { type Authenticated, authenticate } from './authenticate.ts';
import type { HttpParts, RateLimits } from './http-parts.ts';
import { rateHeaders } from './rate-headers.ts';
import { Refusal, refuse } from './refusal.ts';
import type { Exchange, Route } from './route.ts';

export async function admitCaller(
  exchange: Exchange,
  { keys, rateLimits }: Pick<HttpParts, 'keys' | 'rateLimits'>,
  accepted: Exclude<Route['credential'], 'none'>,
): Promise<Authenticated> {
  const authorization = exchange.get('Authorization');
  if (rateLimits.badCredentials !== null) await refuseLockedOut(exchange, rateLimits);
  try {
    const authenticated = await authenticate(keys, authorization, accepted);
    if (rateLimits.callers !== null) await meterCaller(exchange, rateLimits.callers, authorization);
    return authenticated;
  } catch (thrown) {
    if (isBadCredential(thrown)) await rateLimits.badCredentials?.take(addressOf(exchange, rateLimits.trustedProxies));
    throw thrown;
  }
}

async function refuseLockedOut(exchange: Exchange, { badCredentials, trustedProxies }: RateLimits): Promise<void> {
  const lockOut = await badCredentials?.look(addressOf(exchange, trustedProxies));
  if (lockOut?.isOver === true) refuse({ code: 'locked_out', reading: lockOut });
}

/** A missing credential is no guess, and an environment that cannot be looked up is no answer. */
const isBadCredential = (thrown: unknown): boolean =>
  thrown instanceof Refusal && ['key_unknown', 'token_unowned', 'token_invalid'].includes(thrown.failure.code);

async function meterCaller(
  exchange: Exchange,
  callers: NonNullable<RateLimits['callers']>,
  authorization: string,
): Promise<void> {
  // A digest, because a shared store is no place for keys.
  const reading = await callers.take(createHash('sha256').update(authorization).digest('base64url'));
  exchange.set(rateHeaders(reading));
  if (reading.isOver) refuse({ code: 'rate_limited', reading });
}

/** What counts as one address: behind `trustedProxies` of them, the one that the outermost of these saw. */
function addressOf({ req }: Exchange, trustedProxies: number): string {
  const seen = String(req.headers['x-forwarded-for'] ?? '').split(',');
  const told = trustedProxies === 0 ? '' : (seen.at(-trustedProxies)?.trim() ?? '');
  const address = (isIP(told) === 0 ? (req.socket.remoteAddress ?? '') : told).replace(/^::ffff:(?=\d+\.)/i, '');
  return isIPv6(address) ? networkOf(address) : address;
}

/** A caller of IPv6 has a whole /64 to itself. */
function networkOf(address: string): string {
  const [before = '', after = ''] = (address.split('%', 1)[0] ?? '').split('::', 2);
  const head = before.split(':').filter(Boolean);
  const tail = after.split(':').filter(Boolean);
  const groups = [...head, ...Array.from({ length: Math.max(8 - head.length - tail.length, 0) }, () => '0'), ...tail];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
