/** When a token is to expire, as callers say it (protocol sections 2.3 and 8.3): Unix seconds, or `15m`. */

const unitSeconds = {
  s: 1,
  m: 60,
  h: 3_600,
  d: 86_400,
  w: 604_800,
  y: 31_557_600,
} as const;

const grammar =
  /^(\+|-)? ?(\d+|\d+\.\d+) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|y|yrs?|years?)(?: (ago|from now))?$/i;

/**
 * Whole seconds since 1970; null when it is neither form. A year is 365.25 days. A number, too large or negative
 * included, is what it says: whether that moment will do is for the caller to judge.
 */
export function expirationSeconds(text: string | number, nowSeconds: number): number | null {
  if (typeof text === 'number') return Number.isFinite(text) ? Math.floor(text) : null;
  const ttlSeconds = text.length > 64 ? null : spanSeconds(text);
  return ttlSeconds === null ? null : nowSeconds + ttlSeconds;
}

function spanSeconds(text: string): number | null {
  const match = grammar.exec(text);
  if (match === null) return null;
  const [, sign, count, unit = 's', suffix] = match;
  // A sign and a suffix would say it twice.
  if (sign !== undefined && suffix !== undefined) return null;
  const initial = unit.slice(0, 1).toLowerCase() as keyof typeof unitSeconds;
  const seconds = Math.round(Number(count) * unitSeconds[initial]);
  return sign === '-' || suffix?.toLowerCase() === 'ago' ? -seconds : seconds;
}
