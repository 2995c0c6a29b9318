/**
 * The engines of one bench, started for it and gone with it, however it ends: a Temporal server set up as `npm start`
 * sets up its own, and a PostgreSQL that waits for the disk at each commit.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StopStack } from '../src/stop-stack.ts';
import { findTemporalBinary } from '../src/temporal/find-binary.ts';
import { runAsAdmin, startPostgres } from '../test/harness/postgres-server.ts';
import { startPrivateTemporalWith } from '../test/harness/private-temporal.ts';

export interface Engines {
  readonly temporalAddress: string;
  /** @param database made by `createDatabase` */
  databaseUrl(database?: string): string;
  createDatabase(name: string): Promise<string>;
}

export interface EngineOptions {
  readonly namespaces: readonly string[];
  readonly stops: StopStack;
  readonly say: (line: string) => void;
}

export async function startEngines({ namespaces, stops, say }: EngineOptions): Promise<Engines> {
  const { path: cliPath } = await findTemporalBinary({
    cliPath: process.env['TEMPORAL_CLI_PATH'] ?? null,
    dataDir: join(tmpdir(), 'perdure-bench'),
    environment: process.env,
    onProgress: say,
  });
  const temporal = await startPrivateTemporalWith({ cliPath, namespaces });
  stops.push('temporal', () => temporal.stop(), 15_000);
  const postgres = await startPostgres({ fsync: true });
  stops.push('postgres', () => postgres.remove(), 15_000);
  await runAsAdmin(postgres.url(), "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'");
  await postgres.stop();
  await postgres.start();
  return {
    temporalAddress: temporal.address,
    databaseUrl: postgres.url,
    async createDatabase(name) {
      await runAsAdmin(postgres.url(), `CREATE DATABASE ${name}`);
      return postgres.url(name);
    },
  };
}
