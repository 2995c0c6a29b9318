/** One suite, both databases. `DATABASE=pglite` or `DATABASE=postgres` runs one of them. */
import { afterAll, afterEach, beforeAll, describe, expect, inject, vi } from 'vitest';
import type { Database, DatabaseProblem } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { openMigratedPglite } from './pglite.ts';
import { createDatabase } from './postgres.ts';

export interface DatabaseSuite {
  readonly kind: Database['kind'];
  /** Migrated, without rows at the start of the suite; tests of one suite share it. */
  readonly database: Database;
  /** The same database as another process would open it; closed after the test. PostgreSQL only. */
  openAnother(): Database;
  /** What was reported since the last call. A test that leaves problems behind fails. */
  takeProblems(): readonly DatabaseProblem[];
}

const kinds = (['pglite', 'postgres'] as const).filter((kind) => (process.env['DATABASE'] ?? kind) === kind);

/** After each test nothing may be left: no transaction, no busy connection, no lock, no problem. */
export function describeEachDatabase(name: string, define: (suite: DatabaseSuite) => void): void {
  for (const kind of kinds) describeDatabase(kind, name, define);
}

/** For what only several processes can do. */
export function describePostgres(name: string, define: (suite: DatabaseSuite) => void): void {
  if (kinds.includes('postgres')) describeDatabase('postgres', name, define);
}

function describeDatabase(kind: Database['kind'], name: string, define: (suite: DatabaseSuite) => void): void {
  const adminUrl = kind === 'postgres' ? inject('postgresAdminUrl') : null;
  describe.skipIf(kind === 'postgres' && adminUrl === null)(`${name} on ${kind}`, () => {
    define(databaseSuite(adminUrl));
  });
}

interface Opened {
  readonly database: Database;
  readonly openAnother: () => Database;
  readonly drop: () => Promise<void>;
}

function databaseSuite(adminUrl: string | null): DatabaseSuite {
  let opened: Opened | null = null;
  let problems: DatabaseProblem[] = [];
  const others: Database[] = [];
  const current = (): Opened => {
    if (opened === null) throw new Error('the database of a suite is open only while its tests and hooks run');
    return opened;
  };
  const onProblem = (problem: DatabaseProblem): void => void problems.push(problem);
  const takeProblems = (): readonly DatabaseProblem[] => {
    const taken = problems;
    problems = [];
    return taken;
  };

  beforeAll(async () => {
    opened = adminUrl === null ? await openOnPglite(onProblem) : await openOnPostgres(adminUrl, onProblem);
  });
  afterEach(async () => {
    await Promise.all(others.splice(0).map((other) => other.close()));
    await expectNothingLeft(current().database);
    expect(takeProblems()).toEqual([]);
  });
  afterAll(async () => {
    await opened?.database.close();
    await opened?.drop();
  });
  return {
    kind: adminUrl === null ? 'pglite' : 'postgres',
    get database() {
      return current().database;
    },
    openAnother() {
      const other = current().openAnother();
      others.push(other);
      return other;
    },
    takeProblems,
  };
}

async function openOnPglite(onProblem: (problem: DatabaseProblem) => void): Promise<Opened> {
  return {
    database: await openMigratedPglite(onProblem),
    openAnother: () => {
      throw new Error('PGlite is open in one process only');
    },
    drop: async () => {},
  };
}

async function openOnPostgres(adminUrl: string, onProblem: (problem: DatabaseProblem) => void): Promise<Opened> {
  const { url, drop } = await createDatabase(adminUrl);
  const openAnother = (): Database => openPostgres({ url, poolSize: 8, onProblem });
  return { database: openAnother(), openAnother, drop };
}

async function expectNothingLeft(database: Database): Promise<void> {
  await vi.waitFor(() => expect(database.usage()).toEqual({ busy: 0, waiting: 0 }));
  if (database.kind === 'pglite') return;
  await vi.waitFor(async () => {
    const sessions = await database.query(
      `SELECT state, query FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'`,
    );
    expect(sessions).toEqual([]);
  });
}
