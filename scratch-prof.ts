import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createStopStack } from './src/stop-stack.ts';
import { startEngines, query } from './bench/engines.ts';
import { createClient } from './bench/create/create-client.ts';
import { ourServer } from './bench/append/our-server.ts';
import { appenderAt, writersOf } from './bench/append/appender.ts';
import { closedLoop } from './bench/closed-loop.ts';
import { processorMs, familyOf } from './bench/processor-time.ts';
import { openInserts } from './bench/append/insert-appender.ts';
import { freePort } from './test/harness/free-port.ts';
import { httpClient } from './bench/http-connection.ts';
const mode = process.argv[2] ?? 'append';
const calls = Number(process.argv[3] ?? 6000);
const inFlight = Number(process.argv[4] ?? 64);
const nStreams = Number(process.argv[5] ?? 1);
const direction = (process.argv[6] ?? 'in') as 'in' | 'out';
const prof = process.env['PROF'] === '1';
const say = (l: string) => console.error(l);
const stops = createStopStack((p) => say(String(p.part) + String(p.error)));
const pgl = process.env['PGLITE'] === '1';
try {
const engines = await startEngines({ namespaces: ['p'], stops, say });
const databaseUrl = await engines.postgres.createDatabase('bench');
const folder = mkdtempSync('/tmp/prof/run-');
const port = await freePort();
const secretKey = `tr_dev_${randomBytes(12).toString('hex')}`;
const log = openSync(folder + '/log', 'a');
const child = spawn(process.execPath, [...(prof ? ['--cpu-prof', '--cpu-prof-dir=' + folder] : []), 'dist/src/cli.js', 'api'], {
  env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', TEMPORAL_ADDRESS: engines.temporal.address, TEMPORAL_NAMESPACE: 'p', ENCRYPTION_KEY: randomBytes(32).toString('hex'), LOG_FORMAT: 'json', RECONCILE_SECONDS: '0', PORT: String(port), SECRET_KEYS: secretKey, DATA_DIR: folder + '/data', ...(pgl ? {} : { DATABASE_URL: databaseUrl }) },
  stdio: ['ignore', log, log],
});
const exited = once(child, 'exit');
stops.push('server', async () => { child.kill('SIGTERM'); await exited; }, 20_000);
const url = `http://127.0.0.1:${port}`;
for (let i = 0; ; i++) { try { const r = await fetch(url + '/readyz'); await r.arrayBuffer(); if (r.status === 200) break; } catch {} if (i > 600 || child.exitCode !== null) throw new Error(readFileSync(folder + '/log', 'utf8').slice(-2000)); await sleep(50); }
const server = { url, secretKey, namespace: 'p', pid: child.pid ?? 0 };
const sessions = createClient(server);
const ours = ourServer({ name: 'x', server, sessions, direction, pids: () => [server.pid] });
const pgPids = () => familyOf(engines.postgres.pid);
const meter = async (name: string, n: number, work: () => Promise<unknown>) => {
  const b = [processorMs([server.pid]), processorMs(pgPids()), process.cpuUsage()] as const; const t = performance.now();
  await work();
  const ms = performance.now() - t; const c = process.cpuUsage(b[2]);
  console.log(name, 'wall/s', (n * 1000 / ms).toFixed(0), 'ms each: server', (((processorMs([server.pid]) ?? 0) - (b[0] ?? 0)) / n).toFixed(3), 'pg', (((processorMs(pgPids()) ?? 0) - (b[1] ?? 0)) / n).toFixed(3), 'client', ((c.user + c.system) / 1000 / n).toFixed(3));
};
const appenders = []; while (appenders.length < nStreams) appenders.push(await appenderAt(ours));
const writers = writersOf(appenders, inFlight);
await closedLoop({ calls: Math.min(calls, 2000), inFlight }, writers.appendOne);
await query(databaseUrl, 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT pg_stat_statements_reset();');
if (mode === 'append') {
  for (let r = 0; r < 3; r++) await meter('append', calls, () => closedLoop({ calls, inFlight }, writers.appendOne));
  const rows = await query<any>(databaseUrl, `SELECT left(regexp_replace(query,'\\s+',' ','g'),60) q, calls, (total_exec_time/calls)::numeric(9,3) ms, (total_exec_time)::int total, wal_bytes/calls wal FROM pg_stat_statements WHERE query !~ 'pg_stat' ORDER BY total_exec_time DESC LIMIT 9`);
  if (!pgl) for (const r of rows) console.log(JSON.stringify(r));
  const conns = Math.min(32, inFlight);
  const ins = await (await openInserts(databaseUrl, conns, stops)).openTable();
  const w2 = writersOf([ins], conns);
  await closedLoop({ calls: 1000, inFlight: conns }, w2.appendOne);
  for (let r = 0; r < 2; r++) await meter('insert', calls, () => closedLoop({ calls, inFlight: conns }, w2.appendOne));
}
if (mode === 'replay') {
  await closedLoop({ calls: 8000, inFlight }, writers.appendOne);
  const { readBodyOf } = await import('./bench/append/event-reader.ts');
  const stream = await ours.openStream(); void stream;
  const served = appenders[0] as any;
  for (let r = 0; r < 5; r++) await meter('readback', 10000, () => served.readBack());
}
console.log((await writers.check()).map((f) => JSON.stringify(f)).slice(0, 2).join(' '));
console.log(folder);
} finally { await stops.stop(); }
process.exit(0);
