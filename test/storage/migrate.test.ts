import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import { type Migration, migrate, readMigrations, SchemaMismatch } from '../../src/storage/migrate.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import { createDatabase } from '../harness/postgres.ts';

function folderWith(files: Readonly<Record<string, string>>): URL {
  const folder = mkdtempSync(join(tmpdir(), 'perdure-migrations-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return pathToFileURL(`${folder}/`);
}

const migration = (version: number, text: string): Migration => ({
  version,
  name: `step-${version}`,
  text,
  digest: `digest of ${text}`,
});

const [first, second, third] = [
  migration(1, 'CREATE TABLE steps (n int); INSERT INTO steps VALUES (1)'),
  migration(2, 'INSERT INTO steps VALUES (2)'),
  migration(3, 'INSERT INTO steps VALUES (3)'),
];

describe('migration files', () => {
  test('are read in order, with one digest whatever the line ends', () => {
    const unix = readMigrations(folderWith({ '0002-b.sql': 'B;\nB', '0001-a.sql': 'A', 'notes.txt': '' }));
    const windows = readMigrations(folderWith({ '0002-b.sql': 'B;\r\nB', '0001-a.sql': 'A' }));
    expect(unix.map(({ version, name }) => [version, name])).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
    expect(windows).toEqual(unix);
  });

  test('with a gap, a double number or another form of name are refused', () => {
    for (const name of ['0003-c.sql', '0001-again.sql', '2-b.sql', '0002-B.sql']) {
      expect(() => readMigrations(folderWith({ '0001-a.sql': '', [name]: '' }))).toThrow('is not migration');
    }
  });

  test('of our own are found', () => {
    expect(readMigrations()[0]).toMatchObject({ version: 1, name: 'sessions' });
  });
});

describeEachDatabase('migrating', (suite) => {
  beforeEach(() =>
    suite.database.changeSchema((sql) => sql.script('DROP SCHEMA public CASCADE; CREATE SCHEMA public')),
  );

  const steps = async (): Promise<unknown[]> =>
    (await suite.database.query('SELECT n FROM steps ORDER BY n')).map(({ n }) => n);

  test('applies what is missing, and nothing twice', async () => {
    await expect(migrate(suite.database, [first])).resolves.toEqual({ version: 1, applied: ['step-1'] });
    await expect(migrate(suite.database, [first, second])).resolves.toEqual({ version: 2, applied: ['step-2'] });
    await expect(migrate(suite.database, [first, second])).resolves.toEqual({ version: 2, applied: [] });
    expect(await steps()).toEqual([1, 2]);
  });

  test('our own migrations apply to an empty database', async () => {
    const { applied } = await migrate(suite.database);
    expect(applied).toEqual(readMigrations().map(({ name }) => name));
  });

  test('a migration that fails leaves those before it and nothing of itself, and can be repaired', async () => {
    const broken = migration(2, 'INSERT INTO steps VALUES (2); SELECT 1 / 0');
    await expect(migrate(suite.database, [first, broken])).rejects.toMatchObject({ code: '22012' });
    expect(await steps()).toEqual([1]);
    await expect(migrate(suite.database, [first, second])).resolves.toEqual({ version: 2, applied: ['step-2'] });
  });

  test('an older program refuses a newer schema in plain words', async () => {
    await migrate(suite.database, [first, second, third]);
    const older = migrate(suite.database, [first]);
    await expect(older).rejects.toThrow(SchemaMismatch);
    await expect(older).rejects.toMatchObject({
      kind: 'newer',
      message:
        'The database has schema version 3 (step-3), and this program knows versions up to 1. ' +
        'Start the program that made it, or a newer one.',
    });
  });

  test('a migration that was edited after it was applied is refused, and nothing is applied', async () => {
    await migrate(suite.database, [first]);
    const edited = { ...first, digest: 'another' };
    await expect(migrate(suite.database, [edited, second])).rejects.toMatchObject({ kind: 'different' });
    expect(await steps()).toEqual([1]);
  });
});

describe.skipIf(inject('postgresAdminUrl') === null)('processes that migrate one database', () => {
  test('at the same time apply each migration once', async () => {
    const target = await createDatabase(inject('postgresAdminUrl') ?? '', 'empty');
    onTestFinished(() => target.drop());
    const processes = Array.from({ length: 6 }, () =>
      openPostgres({ url: target.url, poolSize: 1, onProblem: () => {} }),
    );
    onTestFinished(async () => void (await Promise.all(processes.map((database) => database.close()))));
    const slow = migration(1, `${first.text}; SELECT pg_sleep(0.1)`);
    const reports = await Promise.all(processes.map((database) => migrate(database, [slow, second, third])));
    expect(reports.flatMap(({ applied }) => applied).toSorted()).toEqual(['step-1', 'step-2', 'step-3']);
    expect(reports.every(({ version }) => version === 3)).toBe(true);
    await expect(processes[0]?.query('SELECT n FROM steps ORDER BY n')).resolves.toEqual([
      { n: 1 },
      { n: 2 },
      { n: 3 },
    ]);
  });
});
