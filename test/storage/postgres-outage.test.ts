/** A server that goes away and comes back; each test has a server of its own. */
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { Unavailable } from '../../src/domain/failure.ts';
import type { Database, DatabaseProblem } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { type PostgresServer, startPostgres } from '../harness/postgres-server.ts';

interface Outage {
  readonly server: PostgresServer;
  readonly database: Database;
  readonly problems: DatabaseProblem[];
}

async function openOnOwnServer(options?: { fsync: boolean }): Promise<Outage> {
  const server = await startPostgres(options);
  onTestFinished(server.remove);
  const problems: DatabaseProblem[] = [];
  const database = openPostgres({ url: server.url(), poolSize: 4, onProblem: (problem) => problems.push(problem) });
  onTestFinished(database.close);
  await database.query('CREATE TABLE acknowledged (n int PRIMARY KEY)');
  return { server, database, problems };
}

async function msOf(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work;
  return performance.now() - startedAt;
}

const answersAgain = (database: Database) =>
  vi.waitFor(() => expect(database.query('SELECT 1 AS n')).resolves.toEqual([{ n: 1 }]), { timeout: 10_000 });

const refused = (work: Promise<unknown>) => expect(work).rejects.toThrow(Unavailable);

describe.skipIf(inject('postgresAdminUrl') === null)('a PostgreSQL server', () => {
  test('that stops is unavailable at once, and used again by itself when it is back', async () => {
    const { server, database } = await openOnOwnServer();
    const onGap = vi.fn<() => void>();
    await database.listen('news', { onPayload: () => {}, onGap });
    await Promise.all([1, 2, 3, 4].map(() => database.query('SELECT pg_sleep(0.05)')));
    await server.stop();
    expect(await msOf(refused(database.query('SELECT 1')))).toBeLessThan(1_500);
    expect(await msOf(refused(database.transaction((sql) => sql.query('SELECT 1'))))).toBeLessThan(1_500);
    await refused(database.ping());
    await refused(database.changeSchema((sql) => sql.query('SELECT 1')));
    await server.start();
    await answersAgain(database);
    await vi.waitFor(() => expect(onGap).toHaveBeenCalled(), { timeout: 10_000 });
    expect(database.usage()).toEqual({ busy: 0, waiting: 0 });
  });

  test('that is down when the process starts is found later', async () => {
    const { server } = await openOnOwnServer();
    await server.stop();
    const late = openPostgres({ url: server.url(), poolSize: 2, onProblem: () => {} });
    onTestFinished(late.close);
    const onGap = vi.fn<() => void>();
    await late.listen('news', { onPayload: () => {}, onGap });
    await refused(late.ping());
    await server.start();
    await answersAgain(late);
    await vi.waitFor(() => expect(onGap).toHaveBeenCalled(), { timeout: 10_000 });
  });

  test('that freezes is given up within the deadline, holds nothing, and is used again after the thaw', async () => {
    const { server, database } = await openOnOwnServer();
    await Promise.all([1, 2].map(() => database.query('SELECT pg_sleep(0.05)')));
    await server.freeze();
    const inTransaction = database.transaction((sql) => sql.query('SELECT 1'));
    const times = await Promise.all([
      msOf(refused(database.query('SELECT 1'))),
      msOf(refused(inTransaction)),
      msOf(refused(database.query('SELECT 1'))),
      msOf(refused(database.ping())),
    ]);
    expect(Math.max(...times)).toBeLessThan(5_000);
    await vi.waitFor(() => expect(database.usage()).toEqual({ busy: 0, waiting: 0 }), { timeout: 5_000 });
    server.thaw();
    await answersAgain(database);
  });

  test('that is killed under load keeps every acknowledged row, and no connection of ours throws outside a call', async () => {
    const { server, database, problems } = await openOnOwnServer({ fsync: true });
    const acknowledged: number[] = [];
    let next = 0;
    const writer = async (): Promise<void> => {
      for (;;) {
        next += 1;
        const n = next;
        await database.transaction((sql) => sql.query('INSERT INTO acknowledged VALUES ($1)', [n]));
        acknowledged.push(n);
      }
    };
    const writers = Promise.allSettled([1, 2, 3, 4].map(writer));
    await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(100));
    await server.kill();
    for (const outcome of await writers) expect(outcome).toMatchObject({ reason: { name: 'Unavailable' } });
    await server.start();
    await answersAgain(database);
    const rows = await database.query<{ n: number }>('SELECT n FROM acknowledged');
    const kept = new Set(rows.map(({ n }) => n));
    expect(acknowledged.filter((n) => !kept.has(n))).toEqual([]);
    expect(problems.every(({ kind }) => kind === 'connection lost')).toBe(true);
  });
});
