/**
 * PGlite: PostgreSQL in this process, with one connection and one process per folder. The engine runs on this thread
 * and has no timers, so a statement cannot be cut short; what is bounded is the wait for the connection and the time
 * that a transaction may hold it without running a statement. It does not fsync: what is acknowledged survives a
 * killed process, not a power cut.
 */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { databaseCloseTimeoutMs, databaseTimeoutMs } from '../domain/limits.ts';
import type { Database, DatabaseProblem, SqlRow, SqlValue } from './database.ts';
import { withinMs } from './deadline.ts';
import { pgliteConnection } from './pglite-connection.ts';
import { plannerSettings } from './planner-settings.ts';
import { type Connection, repeatOnce, runTransaction } from './run-transaction.ts';
import { openTurnstile } from './turnstile.ts';

export interface PgliteOptions {
  /** Absolute; made when it does not exist. Null: in memory, gone with the process. */
  readonly dataDir: string | null;
  readonly onProblem: (problem: DatabaseProblem) => void;
}

/**
 * Takes 0.3 s for an existing folder, 2 to 6 s and 860 MB of memory for a new one. A ready-made first folder exists as a
 * package and saves 1.5 s and 450 MB of that, once; it is made for one exact version of PGlite, and not for ours.
 */
export async function openPglite(options: PgliteOptions): Promise<Database> {
  if (options.dataDir !== null) await ensureDataDir(options.dataDir);
  const engine = options.dataDir === null ? await PGlite.create() : await PGlite.create(options.dataDir);
  await engine.exec(plannerSettings.map((setting) => `SET ${setting}`).join('; '));
  return pgliteDatabase(engine, options.onProblem);
}

/** @param engine nobody else uses it from here on; it is closed together with the database */
export function pgliteDatabase(engine: PGlite, onProblem: PgliteOptions['onProblem']): Database {
  const turnstile = openTurnstile();
  const connection = pgliteConnection(engine, (cause) => onProblem({ kind: 'engine crashed', cause }));
  let closed: Promise<void> | null = null;

  async function closeInOrder(): Promise<void> {
    const report = (cause: unknown): void => onProblem({ kind: 'engine crashed', cause });
    await withinMs(turnstile.close(), databaseCloseTimeoutMs).catch(report);
    if (!engine.closed) await engine.close().catch(report);
  }

  const use = <Value>(work: (connection: Connection) => Promise<Value>): Promise<Value> =>
    repeatOnce(() => turnstile.pass(() => work(connection)));
  const database: Database = {
    kind: 'pglite',
    query: <Row extends SqlRow>(text: string, values: readonly SqlValue[] = []) =>
      use((only) => only.run(text, values) as Promise<readonly Row[]>),
    transaction: (work) => use((only) => runTransaction(only, work)),
    changeSchema: (work) =>
      use(async (only) => {
        const value = await runTransaction(only, work);
        await connection.forgetStatements();
        return value;
      }),
    notify: async () => {},
    listen: async () => async () => {},
    usage: turnstile.usage,
    ping: async () => {
      await withinMs(database.query('SELECT 1'), databaseTimeoutMs);
    },
    close: () => {
      closed ??= closeInOrder();
      return closed;
    },
  };
  return database;
}

/**
 * A first start that is killed while it copies its files leaves a folder that never opens again. So the files are made
 * beside it and moved in one step.
 */
async function ensureDataDir(dataDir: string): Promise<void> {
  if (existsSync(join(dataDir, 'PG_VERSION'))) return;
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
    throw new Error(`${dataDir} is not empty and holds no database: name another folder, or empty it`);
  }
  const unfinished = `${dataDir}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(dirname(dataDir), { recursive: true });
  await (await PGlite.create(unfinished)).close();
  await rm(dataDir, { recursive: true, force: true });
  await rename(unfinished, dataDir);
}
