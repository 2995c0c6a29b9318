/**
 * The engines of one bench, started for it and gone with it, however it ends: a Temporal server set up as `npm start`
 * sets up its own, and a PostgreSQL that waits for the disk at each commit and counts its statements if it can.
 */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { StopStack } from '../src/stop-stack.ts';
import { findTemporalBinary } from '../src/temporal/find-binary.ts';
import { type PostgresServer, startPostgres } from '../test/harness/postgres-server.ts';
import { startPrivateTemporalWith } from '../test/harness/private-temporal.ts';

export interface Engines {
  readonly temporal: { readonly address: string; readonly pid: number };
  readonly postgres: {
    readonly pid: number;
    /** Whether the extension pg_stat_statements is loaded; it is not part of every installation. */
    readonly countsStatements: boolean;
    createDatabase(name: string): Promise<string>;
  };
}

export interface EngineOptions {
  readonly namespaces: readonly string[];
  readonly stops: StopStack;
  readonly say: (line: string) => void;
}

export async function startEngines(options: EngineOptions): Promise<Engines> {
  return { temporal: await startTemporal(options), postgres: await startDatabaseServer(options.stops) };
}

async function startTemporal({ namespaces, stops, say }: EngineOptions): Promise<Engines['temporal']> {
  const { path: cliPath } = await findTemporalBinary({
    cliPath: process.env['TEMPORAL_CLI_PATH'] ?? null,
    dataDir: join(tmpdir(), 'perdure-bench'),
    environment: process.env,
    onProgress: say,
  });
  const { address, dataDir, stop } = await startPrivateTemporalWith({ cliPath, namespaces });
  stops.push('temporal', stop, 15_000);
  const { pid } = JSON.parse(readFileSync(join(dataDir, 'temporal.json'), 'utf8')) as { pid: number };
  return { address, pid };
}

async function startDatabaseServer(stops: StopStack): Promise<Engines['postgres']> {
  const server = await startPostgres({ fsync: true });
  stops.push('postgres', () => server.remove(), 15_000);
  const countsStatements = await loadStatementCounter(server);
  const folder = await query<{ folder: string }>(server.url(), `SELECT current_setting('data_directory') AS folder`);
  const [pid] = readFileSync(join(folder[0]?.folder ?? '', 'postmaster.pid'), 'utf8').split('\n');
  return {
    pid: Number(pid),
    countsStatements,
    async createDatabase(name) {
      await query(server.url(), `CREATE DATABASE ${name}`);
      return server.url(name);
    },
  };
}

async function loadStatementCounter(server: PostgresServer): Promise<boolean> {
  const found = await query(server.url(), "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'");
  if (found.length === 0) return false;
  await query(server.url(), "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'");
  await server.stop();
  await server.start();
  return true;
}

/** One statement, or several without rows, on a connection of its own. */
export async function query<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 120_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}
