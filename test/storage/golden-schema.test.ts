/**
 * The schema as a reader wants it, read back from the catalogue: a migration shows up as a diff of `schema.sql`, and
 * both databases must have come out the same. `npm run golden` writes the file anew.
 */
import { expect, test } from 'vitest';
import type { Sql } from '../../src/storage/database.ts';
import { describeEachDatabase } from '../harness/databases.ts';

describeEachDatabase('the schema', (suite) => {
  test('is the one in schema.sql', async () => {
    await expect(await dumpSchema(suite.database)).toMatchFileSnapshot('schema.sql');
  });
});

async function dumpSchema(sql: Sql): Promise<string> {
  const tables = await sql.query<{ name: string; options: string | null }>(`
    SELECT relname AS name, array_to_string(reloptions, ', ') AS options FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname`);
  const parts: string[] = [];
  for (const { name, options } of tables) {
    const lines = [...(await columnsOf(sql, name)), ...(await constraintsOf(sql, name))].map((line) => `  ${line}`);
    parts.push(`CREATE TABLE ${name} (\n${lines.join(',\n')}\n)${options === null ? '' : ` WITH (${options})`};`);
    parts.push(...(await indexesOf(sql, name)));
    parts.push('');
  }
  parts.push(...(await functionsOf(sql)));
  return `${parts.join('\n').trimEnd()}\n`;
}

async function columnsOf(sql: Sql, table: string): Promise<string[]> {
  const columns = await sql.query<{ name: string; type: string; required: boolean; initial: string | null }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS required,
       pg_get_expr(adbin, adrelid) AS initial
     FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [table],
  );
  return columns.map(({ name, type, required, initial }) =>
    [name, type, required ? 'NOT NULL' : '', initial === null ? '' : `DEFAULT ${initial}`].filter(Boolean).join(' '),
  );
}

/** Newer servers list NOT NULL as constraints, too; here it is said with the column. */
async function constraintsOf(sql: Sql, table: string): Promise<string[]> {
  const constraints = await sql.query<{ name: string; definition: string }>(
    `SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
     WHERE conrelid = $1::regclass AND contype <> 'n' ORDER BY contype = 'p' DESC, conname`,
    [table],
  );
  return constraints.map(({ name, definition }) => `CONSTRAINT ${name} ${definition}`);
}

/** Those of constraints come with them. */
async function indexesOf(sql: Sql, table: string): Promise<string[]> {
  const indexes = await sql.query<{ definition: string }>(
    `SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index
     WHERE indrelid = $1::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
     ORDER BY definition`,
    [table],
  );
  return indexes.map(({ definition }) => `${definition.replaceAll('public.', '')};`);
}

async function functionsOf(sql: Sql): Promise<string[]> {
  const functions = await sql.query<{ definition: string }>(`
    SELECT pg_get_functiondef(oid) AS definition FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND prokind IN ('f', 'p') ORDER BY proname`);
  return functions.map(({ definition }) => `${definition.replaceAll('public.', '').trimEnd()};\n`);
}
