/** What both databases promise alike. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { Unavailable } from '../../src/domain/failure.ts';
import type { Sql } from '../../src/storage/database.ts';
import { describeEachDatabase } from '../harness/databases.ts';

const serializationFailure = `DO $$ BEGIN RAISE EXCEPTION 'planned' USING ERRCODE = '40001'; END $$`;

describeEachDatabase('values', (suite) => {
  async function roundTrip(type: string, value: Parameters<Sql['query']>[1] & {}): Promise<unknown> {
    const [row] = await suite.database.query(`SELECT $1::${type} AS value`, value);
    return row?.['value'];
  }

  test('a column comes back as the JavaScript value of its type', async () => {
    const [row] = await suite.database.query(`
      SELECT 9007199254740991::bigint AS "bigint", 7::int AS "int", 0.5::float8 AS float, 1.10::numeric AS "numeric",
        true AS yes, NULL::text AS nothing, '{1,NULL,3}'::bigint[] AS bigints, '{1,2}'::int[] AS ints,
        '{"a,b",NULL}'::text[] AS texts, '{"a":[1,"\\u0000"]}'::json AS json, '[1]'::jsonb AS jsonb,
        '\\x00ff'::bytea AS bytes, '2026-01-02T03:04:05.678+02'::timestamptz AS moment, count(*) AS count`);
    expect(row).toEqual({
      bigint: 9_007_199_254_740_991,
      int: 7,
      float: 0.5,
      numeric: '1.10',
      yes: true,
      nothing: null,
      bigints: [1, null, 3],
      ints: [1, 2],
      texts: ['a,b', null],
      json: { a: [1, '\u0000'] },
      jsonb: [1],
      bytes: Buffer.from([0, 255]),
      moment: new Date('2026-01-02T01:04:05.678Z'),
      count: 1,
    });
  });

  test('a bigint that does not fit a number is a fault, and the database goes on', async () => {
    await expect(roundTrip('bigint', ['9007199254740992'])).rejects.toThrow(RangeError);
    await expect(roundTrip('bigint', [1])).resolves.toBe(1);
  });

  test('whatever goes in comes out', async () => {
    const text = fc.string({ unit: 'binary' }).map((characters) => characters.replaceAll('\u0000', ''));
    const earliest = new Date('-004000-01-01T00:00:00Z');
    const date = fc.date({ min: earliest, max: new Date(8.64e15), noInvalidDate: true });
    const laws: readonly [string, fc.Arbitrary<Parameters<typeof roundTrip>[1][number]>][] = [
      ['text', text],
      ['text[]', fc.array(text)],
      ['timestamptz', date],
      ['bigint', fc.maxSafeInteger()],
      ['bigint[]', fc.array(fc.maxSafeInteger())],
      ['boolean', fc.boolean()],
      ['bytea', fc.uint8Array().map((bytes) => Buffer.from(bytes))],
    ];
    for (const [type, values] of laws) {
      await fc.assert(
        fc.asyncProperty(values, async (value) => {
          expect(await roundTrip(type, [value])).toEqual(value);
        }),
        { numRuns: 60 },
      );
    }
  });
});

describeEachDatabase('statements', (suite) => {
  beforeAll(async () => {
    await suite.database.query('CREATE TABLE counters (id text PRIMARY KEY, count int NOT NULL)');
  });

  test("a refusal of the server's is thrown as it is, and the database goes on", async () => {
    const insert = `INSERT INTO counters VALUES ('twice', 0)`;
    await suite.database.query(insert);
    await expect(suite.database.query(insert)).rejects.toMatchObject({ code: '23505' });
    await expect(suite.database.query('SELECT FROM nowhere')).rejects.toMatchObject({ code: '42P01' });
    await expect(suite.database.query('SELECT $1::int AS n', [1])).resolves.toEqual([{ n: 1 }]);
  });

  test('more texts than are kept prepared still run', async () => {
    for (let n = 0; n < 520; n += 1) {
      expect(await suite.database.query(`SELECT ${n} + $1::int AS n`, [1])).toEqual([{ n: n + 1 }]);
    }
  });

  test('a statement that meets a serialisation failure is run once more', async () => {
    await suite.database.query('CREATE SEQUENCE tries');
    await suite.database.query(`
      CREATE FUNCTION fails_once() RETURNS bigint LANGUAGE plpgsql AS $$
      DECLARE try bigint := nextval('tries');
      BEGIN
        IF try = 1 THEN RAISE EXCEPTION 'planned' USING ERRCODE = '40001'; END IF;
        RETURN try;
      END $$`);
    await expect(suite.database.query('SELECT fails_once() AS try')).resolves.toEqual([{ try: 2 }]);
  });

  test('a change of the schema does not disturb statements that were prepared before it', async () => {
    await suite.database.query('CREATE TABLE widening (a int)');
    await suite.database.query('INSERT INTO widening VALUES (1)');
    const read = () => suite.database.query('SELECT * FROM widening');
    await expect(read()).resolves.toEqual([{ a: 1 }]);
    await suite.database.query('ALTER TABLE widening ADD COLUMN b int');
    await expect(read()).resolves.toEqual([{ a: 1, b: null }]);
    await suite.database.changeSchema((sql) => sql.script('ALTER TABLE widening ADD COLUMN c int; ANALYZE widening'));
    await expect(suite.database.transaction((sql) => sql.query('SELECT * FROM widening'))).resolves.toEqual([
      { a: 1, b: null, c: null },
    ]);
  });

  test('usage counts who holds the database, and ping answers', async () => {
    await suite.database.transaction(async (sql) => {
      await sql.query('SELECT 1');
      expect(suite.database.usage()).toMatchObject({ busy: 1 });
    });
    await expect(suite.database.ping()).resolves.toBeUndefined();
  });
});

describeEachDatabase('transactions', (suite) => {
  beforeAll(async () => {
    await suite.database.query('CREATE TABLE marks (name text PRIMARY KEY, count int NOT NULL DEFAULT 0)');
  });

  const insert = (sql: Sql, name: string) => sql.query('INSERT INTO marks (name) VALUES ($1)', [name]);
  const found = async (name: string): Promise<boolean> =>
    (await suite.database.query('SELECT FROM marks WHERE name = $1', [name])).length === 1;

  test('commit all or nothing', async () => {
    await suite.database.transaction((sql) => insert(sql, 'kept'));
    const refused = suite.database.transaction(async (sql) => {
      await insert(sql, 'dropped');
      throw new Error('changed my mind');
    });
    await expect(refused).rejects.toThrow('changed my mind');
    expect([await found('kept'), await found('dropped')]).toEqual([true, false]);
  });

  test('read what others have committed since their last statement', async () => {
    const [row] = await suite.database.transaction((sql) => sql.query('SHOW transaction_isolation'));
    expect(row).toEqual({ transaction_isolation: 'read committed' });
  });

  test('a failed statement dooms its transaction, also when its error is caught', async () => {
    const doomed = suite.database.transaction(async (sql) => {
      await insert(sql, 'doomed');
      await sql.query('SELECT 1 / 0').catch(() => {});
    });
    await expect(doomed).rejects.toMatchObject({ code: '22012' });
    expect(await found('doomed')).toBe(false);
  });

  test('run one statement at a time, and none after their end', async () => {
    const two = suite.database.transaction((sql) => Promise.all([insert(sql, 'first'), insert(sql, 'second')]));
    await expect(two).rejects.toThrow('one statement at a time');
    const unawaited = suite.database.transaction(async (sql) => {
      await sql.query('SELECT 1');
      void insert(sql, 'third').catch(() => {});
    });
    await expect(unawaited).rejects.toThrow('still running');
    const escaped = await suite.database.transaction(async (sql) => [sql]);
    await expect(escaped[0]?.query('SELECT 1')).rejects.toThrow('has ended');
    expect([await found('first'), await found('second'), await found('third')]).toEqual([false, false, false]);
  });

  test('take several statements at once, each of which sees what the one before has done', async () => {
    const count = { text: `SELECT count(*)::int AS count FROM marks WHERE name LIKE 'piped%'`, values: [] };
    const add = (name: string) => ({ text: 'INSERT INTO marks (name) VALUES ($1)', values: [name] });
    const rows = await suite.database.transaction((sql) =>
      sql.pipeline([add('piped-1'), count, add('piped-2'), count]),
    );
    expect(rows).toEqual([[], [{ count: 1 }], [], [{ count: 2 }]]);
    const failing = suite.database.transaction((sql) =>
      sql.pipeline([add('piped-3'), { text: 'SELECT 1 / 0', values: [] }, add('piped-4')]),
    );
    await expect(failing).rejects.toMatchObject({ code: '22012' });
    expect([await found('piped-2'), await found('piped-3'), await found('piped-4')]).toEqual([true, false, false]);
  });

  test('commit with their last statement, and only if it succeeds', async () => {
    const rows = await suite.database.transaction(async (sql) => {
      await insert(sql, 'before the last');
      return sql.last({ text: 'INSERT INTO marks (name) VALUES ($1) RETURNING name', values: ['last'] });
    });
    expect(rows).toEqual([{ name: 'last' }]);
    expect([await found('before the last'), await found('last')]).toEqual([true, true]);
    const failing = suite.database.transaction(async (sql) => {
      await insert(sql, 'before a failure');
      await sql.last({ text: 'INSERT INTO marks (name) VALUES ($1)', values: ['last'] }).catch(() => {});
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    expect(await found('before a failure')).toBe(false);
    const more = suite.database.transaction(async (sql) => {
      await sql.last({ text: 'INSERT INTO marks (name) VALUES ($1)', values: ['the very last'] });
      await insert(sql, 'too late');
    });
    await expect(more).rejects.toThrow('has ended');
    expect([await found('the very last'), await found('too late')]).toEqual([true, false]);
  });

  test('are repeated once after a serialisation failure, and are unavailable after the second', async () => {
    let tries = 0;
    await suite.database.transaction(async (sql) => {
      tries += 1;
      await insert(sql, 'repeated');
      if (tries === 1) await sql.query(serializationFailure);
    });
    expect([tries, await found('repeated')]).toEqual([2, true]);
    await expect(suite.database.transaction((sql) => sql.query(serializationFailure))).rejects.toThrow(Unavailable);
  });

  test('that add to one row at the same time all count', async () => {
    await insert(suite.database, 'counter');
    const add = () =>
      suite.database.transaction(async (sql) => {
        const [row] = await sql.query<{ count: number }>(`SELECT count FROM marks WHERE name = 'counter' FOR UPDATE`);
        await sql.query(`UPDATE marks SET count = $1 WHERE name = 'counter'`, [(row?.count ?? 0) + 1]);
      });
    await Promise.all(Array.from({ length: 100 }, add));
    expect(await suite.database.query(`SELECT count FROM marks WHERE name = 'counter'`)).toEqual([{ count: 100 }]);
  });

  test('that stop without ending are rolled back, and hold nobody up for longer than that', async () => {
    const stuck = suite.database.transaction(async (sql) => {
      await insert(sql, 'stuck');
      await new Promise(() => {});
    });
    await expect(stuck).rejects.toThrow(Unavailable);
    expect(await found('stuck')).toBe(false);
  });

  test('a schema change that fails leaves nothing of itself', async () => {
    const failing = suite.database.changeSchema((sql) => sql.script('CREATE TABLE half (a int); SELECT 1 / 0'));
    await expect(failing).rejects.toMatchObject({ code: '22012' });
    await expect(suite.database.query(`SELECT to_regclass('half') AS half`)).resolves.toEqual([{ half: null }]);
  });
});

describe('closing', () => {
  describeEachDatabase('a database', (suite) => {
    test('lets work in flight end, then refuses, and may be repeated', async () => {
      const database = suite.kind === 'postgres' ? suite.openAnother() : suite.database;
      const slow = database.transaction(async (sql) => {
        await sql.query('SELECT pg_sleep(0.2)');
        return sql.query('SELECT 1 AS done');
      });
      await vi.waitFor(() => expect(database.usage().busy).toBe(1));
      await Promise.all([database.close(), database.close()]);
      await expect(slow).resolves.toEqual([{ done: 1 }]);
      await expect(database.query('SELECT 1')).rejects.toThrow(Unavailable);
      await expect(database.transaction((sql) => sql.query('SELECT 1'))).rejects.toThrow(Unavailable);
      await expect(database.ping()).rejects.toThrow(Unavailable);
    });
  });
});
