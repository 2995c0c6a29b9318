import { startPostgres, runAsAdmin } from './test/harness/postgres-server.ts';
import { openPostgres } from './src/storage/postgres.ts';
import { migrate } from './src/storage/migrate.ts';
const server = await startPostgres();
try {
  await runAsAdmin(server.url(), 'ALTER SYSTEM SET autovacuum = off'); await runAsAdmin(server.url(), 'SELECT pg_reload_conf()');
  const db = openPostgres({ url: server.url(), poolSize: 1, onProblem: console.error });
  const m = await import("./src/storage/migrate.ts"); await (m.migrate as any)(db, m.readMigrations());
  await db.query(`INSERT INTO environments (id, name) VALUES ('e','dev')`);
  await db.query(`INSERT INTO sessions (id, environment_id, workflow_id, type, task_identifier, trigger_config, tags, request_key) VALUES ('session_0123456789abcdefghijklmno','e','w','t','t','{}','{}','k')`);
  await db.query(`INSERT INTO gates (session_id, owner, owner_started_at) VALUES ('session_0123456789abcdefghijklmno','o',now())`);
  const parts = [Array(64).fill('session_0123456789abcdefghijklmno'), Array(64).fill('in'), Array.from({ length: 64 }, (_, i) => 'q' + i)];
  const old = `SELECT part.part_id, r.seq FROM unnest($1::text[], $2::text[], $3::text[]) AS part (session_id, stream, part_id) CROSS JOIN LATERAL (SELECT seq, created_at FROM records r WHERE r.session_id = part.session_id AND r.stream = part.stream AND r.part_id = part.part_id LIMIT 1) r`;
  const row = `SELECT part.part_id, r.seq FROM unnest($1::text[], $2::text[], $3::text[]) AS part (session_id, stream, part_id) CROSS JOIN LATERAL (SELECT r.session_id, r.stream, r.part_id, seq, created_at FROM records r WHERE (r.session_id, r.stream, r.part_id) >= (part.session_id, part.stream, part.part_id) ORDER BY r.session_id, r.stream, r.part_id LIMIT 1) r WHERE r.session_id = part.session_id AND r.stream = part.stream AND r.part_id = part.part_id`;

  const { statementNames } = await import('./src/storage/statement-names.ts');
  const nameOf = statementNames();
  const arr = (v: string[]) => `'{${v.join(',')}}'`;
  const { look } = await import('./src/storage/streams/look.ts'); void look;
  const lookSql = (await import('node:fs')).readFileSync('src/storage/streams/look.ts', 'utf8').match(/const lookSql = `([^]*?)`/)![1]!;
  let total = 0;
  for (const step of [0, 5, 64, 500, 500, 500, 500, 1000, 1000, 2000, 20000]) {
    if (step > 0) await db.query(`INSERT INTO records (session_id, stream, seq, part_id, from_client, body) SELECT 'session_0123456789abcdefghijklmno','in',n,gen_random_uuid()::text,true,convert_to(repeat('x',300),'UTF8') FROM generate_series(${total}, ${total + step - 1}) n`);
    total += step;
    await db.query('DISCARD PLANS');
    for (const [name, sql] of [['old', lookSql], ['row', row]] as const) {
      for (let i = 0; i < 8; i++) await db.query(sql, parts as any);
      const plan = await db.query<any>(`EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) EXECUTE "${nameOf(sql)}" (${parts.map(arr).join(',')})`);
      console.log(total, name, plan.map((l) => l['QUERY PLAN'].trim()).filter((l: string) => /Index|Exec|Seq/.test(l)).join(' | '));
    }
  }
  await db.close();
} finally { await server.remove(); }
process.exit(0);
