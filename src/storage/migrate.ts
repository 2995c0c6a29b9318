/**
 * Forward-only migrations: numbered SQL files, each applied once, in order, in one transaction together with the row
 * that says so. Any number of processes may start at once. A file is never edited after a release: write the next one.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Database, SchemaSql, Sql, SqlRow } from './database.ts';

export interface Migration {
  /** Counts from 1, without gaps. */
  readonly version: number;
  readonly name: string;
  readonly text: string;
  /** SHA-256 of the text, in hexadecimal. */
  readonly digest: string;
}

export interface MigrationReport {
  /** Version of the schema afterwards. */
  readonly version: number;
  /** Names of the migrations that this call has applied. */
  readonly applied: readonly string[];
}

/** The database was made by a newer program, or by other migrations than ours: the program must not start on it. */
export class SchemaMismatch extends Error {
  readonly kind: 'newer' | 'different';
  constructor(kind: 'newer' | 'different', message: string) {
    super(message);
    this.name = 'SchemaMismatch';
    this.kind = kind;
  }
}

/** The build copies the SQL files, so this holds for sources and for the compiled program. */
const ownMigrations = new URL('./migrations/', import.meta.url);

/** Throws when the folder's files are not numbered 0001, 0002, ... */
export function readMigrations(folder: URL = ownMigrations): readonly Migration[] {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .toSorted();
  return files.map((file, index) => {
    const version = index + 1;
    if (!new RegExp(`^${String(version).padStart(4, '0')}-[a-z0-9-]+\\.sql$`).test(file)) {
      throw new Error(`${file} in ${folder.pathname} is not migration ${version}: names are like 0001-sessions.sql`);
    }
    // A checkout may have changed the line ends.
    const text = readFileSync(new URL(file, folder), 'utf8').replaceAll('\r\n', '\n');
    return { version, name: file.slice(5, -4), text, digest: createHash('sha256').update(text).digest('hex') };
  });
}

/** Throws `SchemaMismatch`, `Unavailable`, or the error of a migration, which is then rolled back. */
export async function migrate(database: Database, migrations = readMigrations()): Promise<MigrationReport> {
  const applied: string[] = [];
  for (;;) {
    const next = await database.changeSchema((sql) => applyNext(sql, migrations));
    if (next === null) return { version: migrations.length, applied };
    applied.push(next.name);
  }
}

/** Any number that no other program of the same database is likely to use. */
const migrationLock = 7_063_201;

interface AppliedRow extends SqlRow {
  version: number;
  name: string;
  digest: string;
}

/** Lock, then look: what another process has applied while we waited is seen. Null: nothing is left to apply. */
async function applyNext(sql: SchemaSql, migrations: readonly Migration[]): Promise<Migration | null> {
  await sql.query('SELECT pg_advisory_xact_lock($1)', [migrationLock]);
  const applied = await readApplied(sql);
  refuseMismatch(applied, migrations);
  const next = migrations[applied.length];
  if (next === undefined) return null;
  if (applied.length === 0) await createLedger(sql);
  await sql.script(next.text);
  await sql.query('INSERT INTO schema_migrations (version, name, digest) VALUES ($1, $2, $3)', [
    next.version,
    next.name,
    next.digest,
  ]);
  return next;
}

/** Asks first, so that a role without the right to create tables can start on a schema that is up to date. */
async function readApplied(sql: Sql): Promise<readonly AppliedRow[]> {
  const [ledger] = await sql.query<{ found: boolean }>(`SELECT to_regclass('schema_migrations') IS NOT NULL AS found`);
  if (ledger?.found !== true) return [];
  return sql.query<AppliedRow>('SELECT version, name, digest FROM schema_migrations ORDER BY version');
}

async function createLedger(sql: SchemaSql): Promise<void> {
  await sql.script(`
    CREATE TABLE IF NOT EXISTS schema_migrations (
      version integer PRIMARY KEY,
      name text NOT NULL,
      digest text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )`);
}

function refuseMismatch(applied: readonly AppliedRow[], migrations: readonly Migration[]): void {
  const latest = applied.at(-1);
  if (latest !== undefined && latest.version > migrations.length) {
    throw new SchemaMismatch(
      'newer',
      `The database has schema version ${latest.version} (${latest.name}), and this program knows versions up to ` +
        `${migrations.length}. Start the program that made it, or a newer one.`,
    );
  }
  for (const [index, row] of applied.entries()) {
    const ours = migrations[index];
    if (ours === undefined || row.version !== ours.version || row.digest !== ours.digest) {
      throw new SchemaMismatch(
        'different',
        `The database was made by another migration ${row.version} (${row.name}) than this program has. ` +
          `Use another database, or the program that made this one.`,
      );
    }
  }
}
