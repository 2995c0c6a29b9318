/** Counts per key in windows of time, in this process or in the database for all of them. */
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import type { RateMeter, RateReading } from '../sessions/ports.ts';
import type { Database, SqlValue } from './database.ts';

export interface RateMeterOptions {
  /** Tells the keys of this meter from those of another. */
  readonly name: string;
  readonly max: number;
  readonly windowSeconds: number;
  /** Null: each process counts for itself. */
  readonly database: Database | null;
}

export function rateMeter({ name, max, windowSeconds, database }: RateMeterOptions): RateMeter {
  const window = { keyPrefix: name, points: max, duration: windowSeconds };
  const alone = new RateLimiterMemory(window);
  // While the database does not answer, each process counts for itself rather than refuse or admit all.
  const limiter = database === null ? alone : sharedLimiter(window, { database, insurance: alone });
  const reading = (result: RateLimiterRes): RateReading => ({
    max,
    left: result.remainingPoints,
    resetAtMs: Date.now() + Math.max(result.msBeforeNext, 0),
    isOver: false,
  });
  return {
    async take(key) {
      try {
        return reading(await limiter.consume(key));
      } catch (thrown) {
        if (!(thrown instanceof RateLimiterRes)) throw thrown;
        return { ...reading(thrown), isOver: true };
      }
    },
    async look(key) {
      const result = await limiter.get(key);
      return result === null || result.consumedPoints < max ? null : { ...reading(result), isOver: true };
    },
  };
}

interface SharedParts {
  readonly database: Database;
  readonly insurance: RateLimiterMemory;
}

function sharedLimiter(
  window: { keyPrefix: string; points: number; duration: number },
  { database, insurance }: SharedParts,
): RateLimiterPostgres {
  const query = async ({ text, values }: { text: string; values?: readonly SqlValue[] }) => ({
    rows: await database.query(text, values),
  });
  return new RateLimiterPostgres({
    ...window,
    storeClient: { query },
    storeType: 'client',
    tableName: 'rate_limits',
    // By a migration.
    tableCreated: true,
    insuranceLimiter: insurance,
    // Who is over is not asked about again until the window ends.
    inMemoryBlockOnConsumed: window.points + 1,
  });
}
