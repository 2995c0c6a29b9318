/** The PostgreSQL server that a test run shares, and the databases of its suites: clones of one migrated template. */
import { randomBytes } from 'node:crypto';
import { migrate } from '../../src/storage/migrate.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { findBinaries, runAsAdmin, startPostgres } from './postgres-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Null: this machine has no PostgreSQL server, and its suites are skipped. */
    postgresAdminUrl: string | null;
  }
}

export interface SharedPostgres {
  readonly adminUrl: string | null;
  stop(): Promise<void>;
}

export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

const templateName = 'perdure_template';
/** One server for the whole run, with a migrated template to clone. Without server binaries only CI fails. */
export async function startSharedPostgres(): Promise<SharedPostgres> {
  if (findBinaries() === null && !process.env['CI']) {
    console.warn('No PostgreSQL 15 or later on this machine: its suites are skipped.');
    return { adminUrl: null, stop: async () => {} };
  }
  const server = await startPostgres();
  try {
    await runAsAdmin(server.url(), `CREATE DATABASE ${templateName}`);
    await migrateTemplate(server.url(templateName));
    return { adminUrl: server.url(), stop: server.remove };
  } catch (error) {
    await server.remove();
    throw error;
  }
}

/** Closed again, because nobody may be connected to a database that is cloned. */
async function migrateTemplate(url: string): Promise<void> {
  const template = openPostgres({ url, poolSize: 1, onProblem: () => {} });
  try {
    await migrate(template);
  } finally {
    await template.close();
  }
}

/** @param template `migrated` clones our schema, `empty` has nothing in it; only the shared server has the first */
export async function createDatabase(
  adminUrl: string,
  template: 'migrated' | 'empty' = 'migrated',
): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const source = template === 'migrated' ? templateName : 'template0';
  await runAsAdmin(adminUrl, `CREATE DATABASE ${name} TEMPLATE ${source}`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return {
    url: url.toString(),
    drop: () => runAsAdmin(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}
