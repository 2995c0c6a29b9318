/** How often a promise is put to the test: a size that fits the gate, or the whole one (`npm run test:full`). */
import fc from 'fast-check';

export const isFull = process.env['TEST_COUNTS'] === 'full';

export const counted = (gate: number, full: number): number => (isFull ? full : gate);

/**
 * For laws about several processes at once. The seed makes the same program again, not the same interleaving, so a
 * failing program is not shrunk: it is printed as it failed.
 */
export const concurrentLaw = <Inputs>(numRuns: number): fc.Parameters<Inputs> => ({
  numRuns,
  endOnFailure: true,
  ...(process.env['LAW_SEED'] === undefined ? {} : { seed: Number(process.env['LAW_SEED']) }),
  reporter(run) {
    if (!run.failed) return;
    const report = fc.defaultReportMessage(run);
    throw new Error(`${report}\nThe same programs again: LAW_SEED=${run.seed} npx vitest run <this file>`, {
      cause: run.errorInstance,
    });
  },
});
