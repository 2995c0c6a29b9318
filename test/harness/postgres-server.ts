/**
 * PostgreSQL servers of a test run: own folder, own port, gone with the run however it ends. A small shell process
 * waits for the end of a pipe that this process holds; when it closes, even by SIGKILL, it stops the server and removes
 * the folder.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './free-port.ts';

export interface PostgresServer {
  /** @param database `postgres` unless named */
  url(database?: string): string;
  start(): Promise<void>;
  /** Orderly, but without waiting for clients. */
  stop(): Promise<void>;
  /** As a power cut: SIGKILL. */
  kill(): Promise<void>;
  /** Every process of it stands still and every connection stays open, as if its machine had frozen. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Stops it and removes its folder. */
  remove(): Promise<void>;
}

const startDeadlineMs = 30_000;
const portAttempts = 3;

export async function startPostgres({ fsync = false }: { fsync?: boolean } = {}): Promise<PostgresServer> {
  const binaries = findBinaries();
  if (binaries === null) throw new Error('no PostgreSQL 15 or later: install it, or put its pg_config on the PATH');
  const folder = mkdtempSync(join(tmpdir(), 'perdure-postgres-'));
  const account = unprivilegedAccount();
  if (account !== null) chownSync(folder, account.uid, account.gid);
  const home: Home = { binaries, folder, account, fsync };
  const reaper = spawnReaper(home);
  try {
    initialise(home);
    return await startOnFreePort(home, reaper);
  } catch (error) {
    await reap(reaper);
    throw error;
  }
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

interface Home {
  readonly binaries: string;
  readonly folder: string;
  /** Null: this process is not root, so the server may run as whoever runs it. */
  readonly account: Account | null;
  readonly fsync: boolean;
}

async function startOnFreePort(home: Home, reaper: ChildProcess): Promise<PostgresServer> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const server = serverAt(home, { port, reaper });
    try {
      await server.start();
      return server;
    } catch (error) {
      // Somebody else may have taken the port in between.
      if (attempt === portAttempts) throw error;
    }
  }
}

function serverAt(home: Home, { port, reaper }: { port: number; reaper: ChildProcess }): PostgresServer {
  let server: ChildProcess | null = null;
  let frozen: readonly number[] = [];
  const url = (database = 'postgres'): string => `postgres://perdure@127.0.0.1:${port}/${database}`;

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = server;
    server = null;
    if (ending === null) return;
    const exited = untilExit(ending);
    ending.kill(signal);
    await exited;
  }

  function thaw(): void {
    for (const pid of frozen) process.kill(pid, 'SIGCONT');
    frozen = [];
  }

  return {
    url,
    async start() {
      server = spawnServer(home, port);
      await untilItAnswers(url(), server).catch((error: unknown) => {
        throw new Error(`PostgreSQL did not start: ${readFileSync(logOf(home), 'utf8').slice(-2_000)}`, {
          cause: error,
        });
      });
    },
    stop: () => end('SIGINT'),
    kill: () => end('SIGKILL'),
    async freeze() {
      const client = new pg.Client(url());
      await client.connect();
      const { rows } = await client.query<{ pid: number }>(
        'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()',
      );
      await client.end();
      frozen = [server?.pid ?? 0, ...rows.map(({ pid }) => pid)].filter(Boolean);
      for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    },
    thaw,
    async remove() {
      thaw();
      await end('SIGQUIT');
      await reap(reaper);
    },
  };
}

const dataOf = (home: Home): string => join(home.folder, 'data');
const logOf = (home: Home): string => join(home.folder, 'log');
const accountOf = ({ account, folder }: Home) => ({ cwd: folder, ...account });

function initialise(home: Home): void {
  // The database owner is `perdure` on every machine, and nobody but this machine's own users can reach the server.
  const options = ['--no-sync', '--username=perdure', '--auth=trust', '--no-locale', '--encoding=UTF8'];
  execFileSync(join(home.binaries, 'initdb'), [...options, '-D', dataOf(home)], { ...accountOf(home), stdio: 'pipe' });
}

function spawnServer(home: Home, port: number): ChildProcess {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    ...(home.fsync ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const log = openSync(logOf(home), 'a');
  const server = spawn(join(home.binaries, 'postgres'), ['-D', dataOf(home), '-p', String(port), ...options], {
    ...accountOf(home),
    // Its own process group: Ctrl-C reaches the tests, which then stop it in order.
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  server.unref();
  return server;
}

function spawnReaper(home: Home): ChildProcess {
  const script = `
    cat > /dev/null
    if [ -f "$2/data/postmaster.pid" ]; then
      kill -CONT "$(head -n 1 "$2/data/postmaster.pid")"
      "$1/pg_ctl" -D "$2/data" -m immediate -t 20 stop
    fi
    cd /
    rm -rf -- "$2"`;
  const reaper = spawn('sh', ['-c', script, 'reaper', home.binaries, home.folder], {
    ...accountOf(home),
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  reaper.unref();
  return reaper;
}

async function reap(reaper: ChildProcess): Promise<void> {
  const exited = untilExit(reaper);
  reaper.stdin?.end();
  await exited;
}

/** A child that nobody waits for does not keep this process alive; one that somebody waits for must. */
async function untilExit(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  await once(child, 'exit');
}

async function untilItAnswers(url: string, server: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + startDeadlineMs; ; ) {
    try {
      await runAsAdmin(url, 'SELECT 1');
      return;
    } catch (error) {
      if (server.exitCode !== null || Date.now() > deadline) throw error;
      await pause(20);
    }
  }
}

/** One statement on a connection of its own. */
export async function runAsAdmin(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 30_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Null: no PostgreSQL 15 or later on this machine. */
export function findBinaries(): string | null {
  const named = quietly('pg_config', ['--bindir']);
  const packaged = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
  const newestFirst = packaged
    .map(Number)
    .filter((version) => version >= 15)
    .toSorted((a, b) => b - a);
  const candidates = [
    ...(named === null ? [] : [named]),
    ...newestFirst.map((version) => `/usr/lib/postgresql/${version}/bin`),
  ];
  return (
    candidates.find((folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb'))) ?? null
  );
}

/** PostgreSQL refuses to run as root. */
function unprivilegedAccount(): Account | null {
  if (process.getuid?.() !== 0) return null;
  for (const name of ['postgres', 'nobody']) {
    const uid = quietly('id', ['-u', name]);
    const gid = quietly('id', ['-g', name]);
    if (uid !== null && gid !== null) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody');
}

function quietly(command: string, args: string[]): string | null {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
}
