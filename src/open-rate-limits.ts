/** Rate limits as the configuration wants them. */
import type { Config, Rate } from './config.ts';
import type { RateLimits } from './http/http-parts.ts';
import type { Database } from './storage/database.ts';
import { rateMeter } from './storage/rate-meter.ts';

export function openRateLimits({ rates }: Pick<Config, 'rates'>, shared: Database): RateLimits {
  const database = rates.isShared ? shared : null;
  const meter = (name: string, rate: Rate | null) => (rate === null ? null : rateMeter({ ...rate, name, database }));
  return {
    callers: meter('caller', rates.callers),
    badCredentials: meter('address', rates.badCredentials),
    trustedProxies: rates.trustedProxies,
  };
}
