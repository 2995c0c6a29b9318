import { defineConfig } from 'vitest/config';

/** Folders whose tests need no engine; every other test file runs with Temporal and PostgreSQL at hand. */
const withoutEngine = ['test/*.test.ts', 'test/{domain,observe,openapi,tidy,tokens,types}/**/*.test.ts'];
const neverTests = ['**/node_modules/**', 'dist/**', 'dist-*/**', 'test/tidy/violations/**'];

export default defineConfig({
  test: {
    teardownTimeout: 30_000,
    projects: [
      {
        test: {
          name: 'unit',
          include: withoutEngine,
          exclude: neverTests,
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
          typecheck: {
            enabled: true,
            tsconfig: 'tsconfig.types.json',
            include: ['test/types/**/*.test-d.ts'],
          },
        },
      },
      {
        test: {
          name: 'engine',
          include: ['test/**/*.test.ts'],
          exclude: [...neverTests, ...withoutEngine],
          globalSetup: ['test/harness/global-setup.ts'],
          pool: 'forks',
          // Each worker drives servers and task workers of its own; more of them on two cores only make waits longer.
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
