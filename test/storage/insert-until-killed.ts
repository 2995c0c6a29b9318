/** A process of a test: inserts rows into the PGlite folder that it is given, and prints each one once it is acknowledged. */
import { openPglite } from '../../src/storage/pglite.ts';

const database = await openPglite({ dataDir: process.argv[2] ?? '', onProblem: () => process.exit(1) });
await database.query('CREATE TABLE IF NOT EXISTS acknowledged (n int PRIMARY KEY)');
const [row] = await database.query<{ next: number }>('SELECT coalesce(max(n), 0)::int + 1 AS next FROM acknowledged');
for (let n = row?.next ?? 1; ; n += 1) {
  await database.transaction((sql) => sql.query('INSERT INTO acknowledged VALUES ($1)', [n]));
  process.stdout.write(`${n}\n`);
}
