/** What only a database inside this process can get wrong. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Unavailable } from '../../src/domain/failure.ts';
import type { Database, DatabaseProblem } from '../../src/storage/database.ts';
import { openPglite, pgliteDatabase } from '../../src/storage/pglite.ts';
import { makeMigratedFolder, openMigratedPglite } from '../harness/pglite.ts';

/** Starts of PGlite read and write some 40 MB of small files each: slow where other tests keep the disk busy. */
const timeout = 120_000;

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'perdure-pglite-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function open(dataDir: string): Promise<Database> {
  const problems: DatabaseProblem[] = [];
  const database = await openPglite({ dataDir, onProblem: (problem) => problems.push(problem) });
  onTestFinished(async () => {
    await database.close();
    expect(problems).toEqual([]);
  });
  return database;
}

async function openInMemory(): Promise<Database> {
  const database = await openMigratedPglite(() => {});
  onTestFinished(database.close);
  return database;
}

test('a first start makes the folder, also after one that was killed, and rows survive an orderly close', {
  timeout,
}, async () => {
  const dataDir = join(newFolder(), 'not', 'there');
  mkdirSync(`${dataDir}.unfinished`, { recursive: true });
  writeFileSync(join(`${dataDir}.unfinished`, 'PG_VERSION'), '18\n');
  const first = await open(dataDir);
  await first.query('CREATE TABLE kept AS SELECT 42 AS n');
  await first.close();
  const second = await open(dataDir);
  await expect(second.query('SELECT n FROM kept')).resolves.toEqual([{ n: 42 }]);
});

test('a folder of something else is refused, and left alone', async () => {
  const dataDir = newFolder();
  writeFileSync(join(dataDir, 'thesis.txt'), 'precious');
  await expect(openPglite({ dataDir, onProblem: () => {} })).rejects.toThrow('is not empty and holds no database');
});

/** @returns the last row that the process reported before it was killed */
async function insertAndKill(dataDir: string, rowsMin: number): Promise<number> {
  const script = fileURLToPath(new URL('insert-until-killed.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let last = 0;
  let reported = 0;
  const lines = createInterface(child.stdout);
  lines.on('line', (line) => {
    last = Number(line);
    reported += 1;
    if (reported === rowsMin) child.kill('SIGKILL');
  });
  await Promise.all([once(child, 'exit'), once(lines, 'close')]);
  return last;
}

test('every acknowledged row survives SIGKILL, time after time', { timeout }, async () => {
  const dataDir = join(newFolder(), 'database');
  await makeMigratedFolder(dataDir);
  let last = 0;
  for (const rowsMin of [1, 50, 300]) last = await insertAndKill(dataDir, rowsMin);
  const database = await open(dataDir);
  const [row] = await database.query<{ count: number; max: number }>('SELECT count(*), max(n) FROM acknowledged');
  expect(row?.max).toBeGreaterThanOrEqual(last);
  expect(row?.count).toBe(row?.max);
});

test('a query inside a transaction is unavailable instead of waiting for itself for ever', async () => {
  const database = await openInMemory();
  const nested = database.transaction(async (sql) => {
    await sql.query('SELECT 1');
    // Statements in between keep the transaction itself from idling too long.
    const beat = setInterval(() => void sql.query('SELECT 1'), 500);
    await database.query('SELECT 1').finally(() => clearInterval(beat));
  });
  await expect(nested).rejects.toThrow(Unavailable);
  await expect(database.query('SELECT 1 AS n')).resolves.toEqual([{ n: 1 }]);
});

test('who waits is served in order, and turned away when too many wait or the database closes', async () => {
  const database = await openInMemory();
  const served: number[] = [];
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const holder = database.transaction(async () => released);
  const waiting = Array.from({ length: 1_000 }, (_, n) => database.query('SELECT 1').then(() => served.push(n)));
  await expect(database.query('SELECT 1')).rejects.toThrow(Unavailable);
  expect(database.usage()).toEqual({ busy: 1, waiting: 1_000 });
  release();
  await holder;
  await Promise.all(waiting);
  expect(served).toEqual(served.toSorted((a, b) => a - b));
  const late = [database.query('SELECT 1'), database.query('SELECT 1')];
  const closing = database.close();
  await expect(Promise.all(late)).rejects.toThrow(Unavailable);
  await closing;
});

test('an engine that failed is reported once, and everything is unavailable from then on', async () => {
  const engine = await PGlite.create();
  const problems: DatabaseProblem[] = [];
  const database = pgliteDatabase(engine, (problem) => problems.push(problem));
  await database.query('SELECT 1');
  await engine.close();
  for (let n = 0; n < 3; n += 1) await expect(database.query('SELECT 1')).rejects.toThrow(Unavailable);
  await expect(database.ping()).rejects.toThrow(Unavailable);
  await database.close();
  expect(problems).toMatchObject([{ kind: 'engine crashed' }]);
});

test('there is no other process to notify', async () => {
  const database = await openInMemory();
  const onPayload = vi.fn<(payload: string) => void>();
  const unlisten = await database.listen('news', { onPayload, onGap: () => {} });
  await database.notify('news', 'one');
  await unlisten();
  expect(onPayload).not.toHaveBeenCalled();
});
