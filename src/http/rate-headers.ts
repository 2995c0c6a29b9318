/** A rate, as the SDK reads it: it waits until the reset, in Unix milliseconds (protocol section 1.2). */
import type { RateReading } from '../sessions/ports.ts';

export const rateHeaders = ({ max, left, resetAtMs }: RateReading): Record<string, string> => ({
  'x-ratelimit-limit': String(max),
  'x-ratelimit-remaining': String(left),
  'x-ratelimit-reset': String(resetAtMs),
});

/** For everybody else. */
export const overRateHeaders = (reading: RateReading, nowMs: number): Record<string, string> => ({
  ...rateHeaders(reading),
  'Retry-After': String(Math.max(1, Math.ceil((reading.resetAtMs - nowMs) / 1_000))),
});
