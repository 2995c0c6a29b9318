/** The database and what reads it, brought to this binary's schema. */
import { join } from 'node:path';
import type { ServerOptions } from './server-options.ts';
import type { Changes, RunStore, SessionStore } from './sessions/ports.ts';
import type { StopStack } from './stop-stack.ts';
import { openChangeFeed } from './storage/changes.ts';
import type { Database, DatabaseProblem } from './storage/database.ts';
import { migrate } from './storage/migrate.ts';
import { openDatabase } from './storage/open-database.ts';
import { sqlRunStore } from './storage/run-store.ts';
import { sqlSessionStore } from './storage/session-store.ts';

export interface Rows {
  readonly database: Database;
  readonly sessions: SessionStore;
  readonly runs: RunStore;
  readonly changes: Changes;
}

export async function openRows(
  { config, log, onProgress }: Pick<ServerOptions, 'config' | 'log' | 'onProgress'>,
  stops: StopStack,
): Promise<Rows> {
  if (config.databaseUrl === null) onProgress('Opening the embedded database (a first start takes some seconds)');
  const onProblem = (problem: DatabaseProblem) => log.warn({ problem }, 'database trouble');
  const database = await openDatabase({
    url: config.databaseUrl,
    dataDir: join(config.dataDir, 'postgres'),
    poolSize: config.databasePoolSize,
    onProblem,
  });
  stops.push('database', () => database.close(), 10_000);
  await migrate(database);
  const changes = await openChangeFeed(database, { onProblem });
  stops.push('change feed', () => changes.stop(), 2_000);
  return { database, sessions: sqlSessionStore(database), runs: sqlRunStore(database), changes };
}
