/** What an append looks up costs the same in a stream of any length, also before the database has statistics. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import type { StreamName } from '../../src/domain/stream.ts';
import type { StreamStore } from '../../src/sessions/ports.ts';
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

const grown = 20_000;
const growSql = `
  INSERT INTO sessions (id, environment_id, workflow_id, type, task_identifier, trigger_config, tags, request_key)
  SELECT 'session_grown' || n || clock_timestamp(), environment.id, 'grown' || n || clock_timestamp(), 'chat.agent', 'task', '{}', '{}', 'k'
  FROM environments environment, generate_series(1, ${grown}) n;
  INSERT INTO gates (session_id, owner, owner_started_at)
  SELECT id, 'o', now() FROM sessions ON CONFLICT DO NOTHING;
  INSERT INTO outs (session_id) SELECT id FROM sessions ON CONFLICT DO NOTHING;
  INSERT INTO side_streams (session_id, stream) SELECT id, 'grown/in' FROM sessions ON CONFLICT DO NOTHING;`;

interface Scans extends Record<string, unknown> {
  readonly name: string;
  readonly whole: number;
  readonly byKey: number;
  readonly rows: number;
  /** Entries of its indexes that were gone through. */
  readonly entries: number;
}

const tables = ['gates', 'outs', 'records', 'side_streams'];
const appends = 20;
const looksOf = (scans: readonly Scans[]) => scans.reduce((sum, { byKey }) => sum + byKey, 0);
/** Of one table and for one append: a few looks by key, each of which meets a few versions of its row. */
const entriesMax = 25;

interface Growth {
  readonly storeNow: () => StreamStore;
  readonly streams: readonly StreamName[];
  readonly waited: boolean;
}

// Each on a database of its own, as its statements must be planned while the tables are small.
describe.each(['as foreseen', 'under locks', 'of side streams', 'for those who wait'])('appends %s', (way) => {
  describePostgres('by plans that are kept', (suite) => {
    const scans = async () => {
      await suite.database.query('SELECT pg_stat_force_next_flush()');
      return suite.database.query<Scans>(
        `
      SELECT relname AS name, seq_scan::int AS whole, idx_scan::int AS "byKey", n_tup_ins::int AS rows, (
        SELECT sum(idx_tup_read)::int FROM pg_stat_user_indexes i WHERE i.relid = t.relid) AS entries
      FROM pg_stat_user_tables t WHERE relname = ANY($1) ORDER BY relname`,
        [tables],
      );
    };
    const toldWhen = (isTold: (found: readonly Scans[]) => boolean) =>
      vi.waitFor(
        async () => {
          const found = await scans();
          expect(found).toSatisfy(isTold);
          return found;
        },
        { timeout: 10_000, interval: 100 },
      );

    test('scan no table whole that was small when they were made, whatever its statistics say', async () => {
      const lasting = sqlStreamStore(suite.database);
      await holdsAsTheyGrow({
        storeNow: () => (way === 'under locks' ? sqlStreamStore(suite.database) : lasting),
        streams: way === 'of side streams' ? ['logs/in', 'logs/out'] : ['in', 'out'],
        waited: way === 'for those who wait',
      });
    });

    async function holdsAsTheyGrow({ storeNow, streams, waited }: Growth) {
      const { changeSchema, query } = suite.database;
      for (const table of [...tables, 'sessions']) {
        await changeSchema((sql) => sql.script(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`));
      }
      const life = await lifecycleOf(suite.database);
      const session = await life.open();
      const append = (stream: StreamName) =>
        storeNow().append(
          [
            {
              sessionId: session.view.sessionId,
              stream,
              records: [{ headers: [], body: '{}' }],
              partId: randomUUID(),
              matchSeq: null,
              attempt: null,
            },
          ],
          true,
        );
      const appendSome = async () => {
        for (let count = 0; count < appends; count += 1) {
          await append(streams[count % streams.length] ?? 'in');
          if (waited) await query('UPDATE gates SET waited_for = true WHERE session_id = $1', [session.view.sessionId]);
        }
      };
      await appendSome();
      await query('ANALYZE');
      await appendSome();
      await changeSchema((sql) => sql.script(growSql));
      const before = await toldWhen((found) => found.every(({ name, rows }) => name === 'records' || rows > grown));
      await appendSome();
      const wanted = looksOf(before) + appends * 2;
      const after = await toldWhen((found) => looksOf(found) >= wanted);
      for (const [at, { whole, entries }] of after.entries()) {
        expect(whole).toBe(before[at]?.whole);
        expect(entries - (before[at]?.entries ?? 0)).toBeLessThan(appends * entriesMax);
      }
    }
  });
});
