/** The side session of a PostgreSQL database: best effort, and back by itself. */
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import type { Database, DatabaseProblem } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { createDatabase, type TestDatabase } from '../harness/postgres.ts';

const adminUrl = inject('postgresAdminUrl');

describe.skipIf(adminUrl === null)('notifications', () => {
  let target: TestDatabase;
  beforeAll(async () => {
    target = await createDatabase(adminUrl ?? '', 'empty');
  });
  afterAll(() => target.drop());

  function open(problems: DatabaseProblem[] = []): Database {
    const database = openPostgres({ url: target.url, poolSize: 2, onProblem: (problem) => problems.push(problem) });
    onTestFinished(() => database.close());
    return database;
  }

  async function listenOn(database: Database) {
    const payloads: string[] = [];
    const onGap = vi.fn<() => void>();
    const unlisten = await database.listen('news', { onPayload: (payload) => payloads.push(payload), onGap });
    return { payloads, onGap, unlisten };
  }

  const killListeners = (database: Database) =>
    database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'`,
    );

  test('reach other processes in order, and not their sender', async () => {
    const [here, there] = [open(), open()];
    const [own, others] = [await listenOn(here), await listenOn(there)];
    for (const payload of ['one', '', 'x'.repeat(7_900)]) await here.notify('news', payload);
    await here.notify('other_news', 'not heard');
    await here.notify('news', 'last');
    await vi.waitFor(() => expect(others.payloads).toEqual(['one', '', 'x'.repeat(7_900), 'last']));
    expect(own.payloads).toEqual([]);
    expect([own.onGap, others.onGap].map((gap) => gap.mock.calls.length)).toEqual([0, 0]);
  });

  test('stop with the last listener of a channel', async () => {
    const [here, there] = [open(), open()];
    const [first, second] = [await listenOn(there), await listenOn(there)];
    await first.unlisten();
    await first.unlisten();
    await here.notify('news', 'one');
    await vi.waitFor(() => expect(second.payloads).toEqual(['one']));
    await second.unlisten();
    await here.notify('news', 'two');
    const third = await listenOn(there);
    await here.notify('news', 'three');
    await vi.waitFor(() => expect(third.payloads).toEqual(['three']));
    expect([first.payloads, second.payloads]).toEqual([[], ['one']]);
  });

  test('after a lost session the listener is told of the gap and hears again', async () => {
    const problems: DatabaseProblem[] = [];
    const [here, there] = [open(), open(problems)];
    const { payloads, onGap } = await listenOn(there);
    await killListeners(here);
    await vi.waitFor(() => expect(onGap).toHaveBeenCalledTimes(1));
    await here.notify('news', 'heard again');
    await vi.waitFor(() => expect(payloads).toEqual(['heard again']));
    expect(problems).toMatchObject([{ kind: 'side session lost' }]);
  });

  test('neither wait for the pool nor take a connection of it', async () => {
    const [here, there] = [open(), open()];
    const { payloads } = await listenOn(there);
    await Promise.all(
      [1, 2].map(() =>
        here.transaction(async (sql) => {
          await sql.query('SELECT 1');
          await here.notify('news', 'from within');
        }),
      ),
    );
    await vi.waitFor(() => expect(payloads).toEqual(['from within', 'from within']));
  });

  test('that cannot be sent are reported and never thrown', async () => {
    const problems: DatabaseProblem[] = [];
    const database = open(problems);
    await database.notify('news', 'x'.repeat(8_000));
    await Promise.all(Array.from({ length: 150 }, () => database.notify('news', 'a burst')));
    expect(problems.filter(({ kind }) => kind === 'notification dropped')).toHaveLength(51);
    await database.close();
    await database.notify('news', 'too late');
    expect(problems.at(-1)).toMatchObject({ kind: 'notification dropped' });
  });

  test('a listener that throws is reported, and the others still hear', async () => {
    const problems: DatabaseProblem[] = [];
    const [here, there] = [open(), open(problems)];
    const onPayload = () => {
      throw new Error('planned');
    };
    await there.listen('news', { onPayload, onGap: () => {} });
    const { payloads } = await listenOn(there);
    await here.notify('news', 'one');
    await vi.waitFor(() => expect(payloads).toEqual(['one']));
    expect(problems).toMatchObject([{ kind: 'listener threw', cause: { message: 'planned' } }]);
  });
});
