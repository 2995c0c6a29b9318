/** What an append looks up costs the same in a stream of any length, also before the database has statistics. */
import { expect, test, vi } from 'vitest';
import { lookSql } from '../../src/storage/streams/look.ts';
import { sqlStreamStore } from '../../src/storage/streams/sql-stream-store.ts';
import { describePostgres } from '../harness/databases.ts';
import { lifecycleOf } from './lifecycle.ts';

const sessionId = 'session_0123456789abcdefghijklmno';
/** By then the index of part ids has a level more than the primary key, which makes it the dearer one to the planner. */
const records = 6_069;
const partIds = 64;

const plantSql = `
  ALTER TABLE records SET (autovacuum_enabled = off);
  INSERT INTO environments (id, name) VALUES ('environment', 'dev');
  INSERT INTO sessions (id, environment_id, workflow_id, type, task_identifier, trigger_config, tags, request_key)
  VALUES ('${sessionId}', 'environment', 'w', 'chat.agent', 'task', '{}', '{}', 'k');
  INSERT INTO records (session_id, stream, seq, part_id, from_client, body)
  SELECT '${sessionId}', 'in', n, gen_random_uuid(), true, convert_to(repeat('x', 300), 'UTF8')
  FROM generate_series(0, ${records} - 1) n;`;

describePostgres('plans of an append', (suite) => {
  test('a part id is looked for in its own index', async () => {
    await suite.database.changeSchema((sql) => sql.script(plantSql));
    const all = (value: string) => Array.from({ length: partIds }, () => value);
    const [row] = await suite.database.query<{ 'QUERY PLAN': readonly { Plan: Record<string, number> }[] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${lookSql}`,
      [all(sessionId), all('in'), Array.from({ length: partIds }, (_part, no) => `absent-${no}`)],
    );
    const plan = row?.['QUERY PLAN'][0]?.Plan ?? {};
    const blocks = (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
    // A few levels of the index for each; of the whole stream it would be hundreds for each.
    expect(blocks).toBeGreaterThan(partIds);
    expect(blocks).toBeLessThan(partIds * 8);
  });
});

const growSql = `
  INSERT INTO sessions (id, environment_id, workflow_id, type, task_identifier, trigger_config, tags, request_key)
  SELECT 'session_grown' || n, environment.id, 'grown' || n, 'chat.agent', 'task', '{}', '{}', 'k'
  FROM environments environment, generate_series(1, 20000) n;
  INSERT INTO gates (session_id, owner, owner_started_at)
  SELECT id, 'o', now() FROM sessions WHERE id LIKE 'session_grown%';
  INSERT INTO outs (session_id) SELECT id FROM sessions WHERE id LIKE 'session_grown%';`;

interface Scans extends Record<string, unknown> {
  readonly name: string;
  readonly whole: number;
  readonly byKey: number;
}

describePostgres('plans that are kept', (suite) => {
  const scans = () =>
    suite.database.query<Scans>(`
      SELECT relname AS name, seq_scan::int AS whole, idx_scan::int AS "byKey" FROM pg_stat_user_tables
      WHERE relname IN ('gates', 'outs', 'records') ORDER BY relname`);

  test('scan no table whole that was small when they were made, whatever its statistics say', async () => {
    const { changeSchema, query } = suite.database;
    for (const table of ['gates', 'outs', 'records', 'sessions']) {
      await changeSchema((sql) => sql.script(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`));
    }
    const life = await lifecycleOf(suite.database);
    const session = await life.open();
    const append = (stream: 'in' | 'out') =>
      sqlStreamStore(suite.database).append(
        [
          {
            sessionId: session.view.sessionId,
            stream,
            records: [{ headers: [], body: '{}' }],
            partId: null,
            matchSeq: null,
            attempt: null,
          },
        ],
        true,
      );
    const appendSome = async () => {
      for (let count = 0; count < 20; count += 1) await append(count % 2 === 0 ? 'in' : 'out');
    };
    await appendSome();
    await query('ANALYZE');
    await appendSome();
    await changeSchema((sql) => sql.script(growSql));
    const before = await vi.waitFor(async () => {
      const found = await scans();
      expect(found).toHaveLength(3);
      return found;
    });
    await appendSome();
    // The database tells of its scans a second late.
    const after = await vi.waitFor(
      async () => {
        const found = await scans();
        for (const [at, { byKey }] of found.entries())
          expect(byKey).toBeGreaterThanOrEqual((before[at]?.byKey ?? 0) + 10);
        return found;
      },
      { timeout: 10_000, interval: 100 },
    );
    expect(after.map(({ name, whole }) => ({ name, whole }))).toEqual(
      before.map(({ name, whole }) => ({ name, whole })),
    );
  });
});
