/** What an append looks up costs the same in a stream of any length, also before the database has statistics. */
import { expect, test } from 'vitest';
import { lookSql } from '../../src/storage/streams/look.ts';
import { describePostgres } from '../harness/databases.ts';

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
