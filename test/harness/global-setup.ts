/** Starts what all test files share; vitest calls it once per run, before the first file. */
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { findTemporalBinary } from '../../src/temporal/find-binary.ts';
import { startSharedPostgres } from './postgres.ts';
import { startPrivateTemporalWith } from './private-temporal.ts';

/**
 * The start takes 0.3 s with any number. Each costs the server 1.2 MB and 8 ms of processor time for its own
 * system workers: 160 are 190 MB and 1.3 s, spread over the first seconds.
 */
const namespacesCount = 160;

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [stopTemporal, postgres] = await Promise.all([shareTemporal(project), startSharedPostgres()]);
  project.provide('postgresAdminUrl', postgres.adminUrl);
  return async () => {
    await Promise.all([stopTemporal(), postgres.stop()]);
  };
}

async function shareTemporal(project: TestProject): Promise<() => Promise<void>> {
  const { path: cliPath } = await findTemporalBinary({
    cliPath: process.env['TEMPORAL_CLI_PATH'] ?? null,
    dataDir: join(tmpdir(), 'perdure-test'),
    environment: process.env,
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  const namespaces = Array.from({ length: namespacesCount }, (_, index) => `t${index}`);
  const server = await startPrivateTemporalWith({ cliPath, namespaces });
  // Removed with the server's folder.
  const claims = join(server.dataDir, 'claims');
  await mkdir(claims);
  const { address, uiUrl } = server;
  project.provide('temporal', { address, uiUrl, cliPath, namespaces, claims });
  // In watch mode every round finds the server as new as the first one did.
  project.onTestsRerun(async () => {
    await server.wipe();
    await rm(claims, { recursive: true, force: true });
    await mkdir(claims);
  });
  return server.stop;
}
