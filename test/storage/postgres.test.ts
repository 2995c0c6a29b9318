/** What only a pool of connections can get wrong. */
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { Unavailable } from '../../src/domain/failure.ts';
import type { Database, DatabaseProblem, Sql } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { createDatabase, type TestDatabase } from '../harness/postgres.ts';

const adminUrl = inject('postgresAdminUrl');

describe.skipIf(adminUrl === null)('PostgreSQL', () => {
  let target: TestDatabase;

  beforeAll(async () => {
    target = await createDatabase(adminUrl ?? '', 'empty');
    const database = open();
    await database.query('CREATE TABLE pairs (id int PRIMARY KEY, count int NOT NULL DEFAULT 0)');
    await database.query('INSERT INTO pairs SELECT generate_series(1, 3)');
    await database.close();
  });
  afterAll(() => target.drop());

  function open(options: { poolSize?: number; url?: string; problems?: DatabaseProblem[] } = {}): Database {
    const { poolSize = 4, url = target.url, problems = [] } = options;
    return openPostgres({ url, poolSize, onProblem: (problem) => problems.push(problem) });
  }

  function openForTest(options?: Parameters<typeof open>[0]): Database {
    const database = open(options);
    onTestFinished(() => database.close());
    return database;
  }

  const backendOf = async (sql: Sql): Promise<number> =>
    (await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))[0]?.pid ?? 0;
  const lock = (sql: Sql, id: number) => sql.query('SELECT FROM pairs WHERE id = $1 FOR UPDATE', [id]);
  const terminate = (sql: Sql, pid: number) => sql.query('SELECT pg_terminate_backend($1, 1000)', [pid]);

  test('the limits of a session hold whatever the URL says', async () => {
    const url = `${target.url}?statement_timeout=0&lock_timeout=60000&options=-c%20DateStyle=German&application_name=mine`;
    const database = openForTest({ url });
    const [row] = await database.query(`
      SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement,
        current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('application_name') AS name,
        '2026-03-04T00:00:00Z'::timestamptz AS moment`);
    expect(row).toEqual({ lock: '1900ms', statement: '2s', idle: '2s', name: 'mine', moment: new Date('2026-03-04') });
  });

  test('a statement that takes too long is unavailable, and so is a lock', async () => {
    const database = openForTest();
    const slow = database.query('SELECT pg_sleep(5)');
    const holder = database.transaction(async (sql) => {
      await lock(sql, 1);
      const blocked = database.transaction((other) => lock(other, 1)).catch((error: unknown) => error);
      for (let n = 0; n < 5; n += 1) await sql.query('SELECT pg_sleep(0.5)');
      return blocked;
    });
    await expect(slow).rejects.toMatchObject({ name: 'Unavailable', cause: { code: '57014' } });
    await expect(holder).resolves.toMatchObject({ name: 'Unavailable', cause: { code: '55P03' } });
  });

  test('two transactions that lock each other out both succeed', async () => {
    const database = openForTest();
    let waiting = 0;
    let tries = 0;
    const swap = (first: number, second: number) =>
      database.transaction(async (sql) => {
        tries += 1;
        await lock(sql, first);
        waiting += 1;
        await vi.waitFor(() => expect(waiting).toBeGreaterThan(1));
        await lock(sql, second);
        await sql.query('UPDATE pairs SET count = count + 1 WHERE id = $1', [second]);
      });
    await Promise.all([swap(1, 2), swap(2, 1)]);
    expect(tries).toBe(3);
  });

  test('a full pool is unavailable after two seconds', async () => {
    const database = openForTest({ poolSize: 1 });
    const holder = database.transaction(async (sql) => {
      for (let n = 0; n < 6; n += 1) await sql.query('SELECT pg_sleep(0.4)');
    });
    await vi.waitFor(() => expect(database.usage().busy).toBe(1));
    await expect(database.query('SELECT 1')).rejects.toThrow(Unavailable);
    await holder;
    await expect(database.query('SELECT 1 AS n')).resolves.toEqual([{ n: 1 }]);
  });

  test('a connection that is lost inside a transaction never returns to the pool', async () => {
    const database = openForTest({ poolSize: 1 });
    const killer = openForTest();
    let before = 0;
    const lost = database.transaction(async (sql) => {
      before = await backendOf(sql);
      await terminate(killer, before);
      await lock(sql, 1);
    });
    await expect(lost).rejects.toThrow(Unavailable);
    const after = await backendOf(database);
    expect(after).not.toBe(before);
  });

  test('an idle connection that is lost is reported, and nobody else notices', async () => {
    const problems: DatabaseProblem[] = [];
    const database = openForTest({ poolSize: 1, problems });
    await terminate(openForTest(), await backendOf(database));
    await vi.waitFor(() => expect(problems).toMatchObject([{ kind: 'connection lost' }]));
    await expect(database.query('SELECT 1 AS n')).resolves.toEqual([{ n: 1 }]);
  });

  test('a fault of ours keeps the connection, and closing leaves none behind', async () => {
    const database = openForTest({ poolSize: 1 });
    const before = await backendOf(database);
    await expect(database.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
    await expect(database.query('SELECT 9007199254740992::bigint')).rejects.toThrow(RangeError);
    await expect(database.transaction((sql) => sql.query('SELECT 1 / 0'))).rejects.toMatchObject({ code: '22012' });
    expect(await backendOf(database)).toBe(before);
    await database.notify('closing', 'opens the side session');
    await database.close();
    const observer = openForTest();
    await vi.waitFor(async () => {
      const left = await observer.query(
        'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
      expect(left).toEqual([]);
    });
  });

  test('a migration takes longer than a statement may, and no longer wait than for its lock', async () => {
    const database = openForTest();
    await database.changeSchema((sql) => sql.script('SELECT pg_sleep(3.2)'));
  });

  test('a wrong address or password is unavailable', async () => {
    const elsewhere = new URL(target.url);
    elsewhere.pathname = '/no_such_database';
    await expect(openForTest({ url: elsewhere.toString() }).ping()).rejects.toThrow(Unavailable);
    await expect(openForTest({ url: 'postgres://nobody@127.0.0.1:1/nothing' }).ping()).rejects.toThrow(Unavailable);
  });
});
