/** How often a promise is put to the test: a size that fits the gate, or the whole one (`npm run test:full`). */
import type fc from 'fast-check';

const isFull = process.env['TEST_COUNTS'] === 'full';

export const counted = (gate: number, full: number): number => (isFull ? full : gate);

/**
 * For laws about several processes at once. `LAW_SEED=<the seed that a failure prints>` makes the same programs again,
 * not the same interleaving; so a failing program is not shrunk, but printed as it failed.
 */
export const concurrentLaw = <Inputs>(numRuns: number): fc.Parameters<Inputs> => ({
  numRuns,
  endOnFailure: true,
  ...(process.env['LAW_SEED'] === undefined ? {} : { seed: Number(process.env['LAW_SEED']) }),
});
