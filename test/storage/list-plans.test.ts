/** A page of the list costs the same in a small table and in one twenty times its size: counted in blocks that it reads. */
import { beforeAll, expect, test } from 'vitest';
import { type EnvironmentId, environmentIdOf, sessionIdOf } from '../../src/domain/ids.ts';
import type { SessionFilters } from '../../src/domain/list-page.ts';
import { pageStatement } from '../../src/storage/list-sessions.ts';
import { describePostgres } from '../harness/databases.ts';

const sizes = { small: 1_000, large: 20_000 } as const;
const environments = { small: 'dev', large: 'prod' } as const;
const startMs = Date.parse('2026-01-01T00:00:00Z');
const none: SessionFilters = {
  types: [],
  tags: [],
  taskIdentifiers: [],
  externalId: null,
  statuses: [],
  createdFromMs: null,
  createdToMs: null,
};

const everything: Partial<SessionFilters> = {
  tags: ['third-1', 'third-2'],
  taskIdentifiers: ['task-3', 'task-4'],
  types: ['chat.agent'],
  statuses: ['ACTIVE'],
};
/** A tenth has this task, a fiftieth this type, and no session both. */
const neverMeet: Partial<SessionFilters> = { taskIdentifiers: ['task-3'], types: ['rare'] };

const environmentId = (size: keyof typeof sizes): EnvironmentId => environmentIdOf(size.padEnd(25, '0'));

/** Ids and times count up; every open session is in the older half. */
const plantSql = (size: keyof typeof sizes) => `
  INSERT INTO environments (id, name) VALUES ('${environmentId(size)}', '${environments[size]}');
  INSERT INTO sessions (id, environment_id, workflow_id, external_id, type, task_identifier, trigger_config, tags, request_key, created_at)
  SELECT 'session_' || lpad(to_hex(n), 20, '0') || '${size}', '${environmentId(size)}', '${size}-' || n, 'chat-' || n,
    CASE WHEN n % 50 = 0 THEN 'rare' ELSE 'chat.agent' END, 'task-' || n % 10, '{}',
    ARRAY['user-' || n % (${sizes[size]} / 50), 'third-' || n % 3], n::text, to_timestamp(${startMs / 1_000} + n)
  FROM generate_series(1, ${sizes[size]}) n;
  INSERT INTO gates (session_id, owner, owner_started_at) SELECT id, 'o', created_at FROM sessions
  WHERE environment_id = '${environmentId(size)}';
  UPDATE gates SET closed_at = clock_timestamp() FROM sessions s
  WHERE s.id = session_id AND environment_id = '${environmentId(size)}'
    AND (request_key::int > ${sizes[size] / 2} OR request_key::int % 10 <> 3);`;

describePostgres('plans of the list', (suite) => {
  beforeAll(async () => {
    await suite.database.changeSchema(async (sql) => {
      await sql.script(plantSql('small'));
      await sql.script(plantSql('large'));
    });
    // As on a table that lives: rows that were changed leave nothing behind in its indexes.
    for (const table of ['sessions', 'session_tags', 'gates']) await suite.database.query(`VACUUM ANALYZE ${table}`);
  });

  /** What a page of 20 touches, wherever it was, and finds. */
  async function planOf(size: keyof typeof sizes, filters: SessionFilters, from: number | null) {
    const createdAtMs = startMs + Math.floor((from ?? 0) * sizes[size]) * 1_000;
    const { text, values } = pageStatement({
      environmentId: environmentId(size),
      filters,
      direction: 'older',
      cursor: from === null ? null : { createdAtMs, id: sessionIdOf('z'.repeat(25)), inclusive: false },
      limit: 21,
    });
    const [row] = await suite.database.query<{ 'QUERY PLAN': readonly { Plan: Record<string, number> }[] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
      values,
    );
    const plan = row?.['QUERY PLAN'][0]?.Plan ?? {};
    return {
      rows: plan['Actual Rows'] ?? 0,
      blocks: (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0),
    };
  }

  async function blocksOf(...page: Parameters<typeof planOf>): Promise<number> {
    const { rows, blocks } = await planOf(...page);
    expect(rows).toBeGreaterThan(0);
    return blocks;
  }

  test.each<[string, Partial<SessionFilters>, number | null]>([
    ['the newest rows', {}, null],
    ['rows in the middle', {}, 0.5],
    ['one task', { taskIdentifiers: ['task-3'] }, null],
    ['two tasks, from the middle', { taskIdentifiers: ['task-3', 'task-4'] }, 0.5],
    ['a rare type', { types: ['rare'] }, null],
    ['ACTIVE, all of them old', { statuses: ['ACTIVE'] }, null],
    ['CLOSED or EXPIRED', { statuses: ['CLOSED', 'EXPIRED'] }, null],
    ['one task and ACTIVE', { taskIdentifiers: ['task-3'], statuses: ['ACTIVE'] }, null],
    ['the tag of a user', { tags: ['user-7'] }, null],
    ['the tag of every third', { tags: ['third-1'] }, null],
    ['the tag of every third and ACTIVE', { tags: ['third-1'], statuses: ['ACTIVE'] }, null],
    ['a tag and a task', { tags: ['third-1'], taskIdentifiers: ['task-3'] }, null],
    ['a tag, a type, CLOSED', { tags: ['third-1'], types: ['chat.agent'], statuses: ['CLOSED'] }, null],
    ['two tags, two tasks, a type, ACTIVE', everything, null],
    ['an external id', { externalId: 'chat-700' }, null],
  ])('%s', async (_, filters, from) => {
    const small = await blocksOf('small', { ...none, ...filters }, from);
    const large = await blocksOf('large', { ...none, ...filters }, from);
    // Deeper indexes, and rows that lie further apart; a scan of the table would be 20 times as many.
    expect(large).toBeLessThan(small * 2 + 50);
    expect(large).toBeLessThan(400);
  });

  test.each<[string, Partial<SessionFilters>]>([
    ['a task and a type that never meet', neverMeet],
    ['the same below a tag', { ...neverMeet, tags: ['third-1'] }],
  ])('%s: nothing is found, and nothing is read through', async (_, filters) => {
    const { rows, blocks } = await planOf('large', { ...none, ...filters }, null);
    expect(rows).toBe(0);
    expect(blocks).toBeLessThan(60);
  });
});
