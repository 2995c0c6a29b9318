/**
 * The command `perdure` in processes of its own, as operators run it. None of them outlives the test that started it,
 * however that ends.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface ProcessOptions {
  /** What follows `perdure`: `['api']`, `['worker']`, `['tasks', 'examples/demo-task.ts']`; paths from the repository. */
  readonly command: readonly string[];
  /** All its variables, but for the few that any program needs; see `siteEnvironment`. Default DATA_DIR: a folder of its own. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnedProcess {
  readonly pid: number;
  /** All it has written so far, standard error included. */
  readonly lines: readonly string[];
  /** The first line that matches, written already or to come; fails when the process ends without it. */
  line(pattern: RegExp): Promise<string>;
  signal(name: NodeJS.Signals): void;
  readonly exited: Promise<ProcessExit>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<ProcessExit>;
  /** SIGTERM; fails, with the process killed, if it lingers. May be called again, also after it is gone. */
  stop(): Promise<ProcessExit>;
}

export interface PerdureProcess extends SpawnedProcess {
  /** Of its API. Throws when it serves none. */
  readonly url: string;
}

/** What a process wrote before it ended is read by then, on a busy machine too. */
const outputDeadlineMs = 3_000;

/** All parts' own deadlines together, and the machine may be busy. */
const stopDeadlineMs = 60_000;

/** Resolves once it serves; fails, with all it wrote, when it ends before. */
export async function startProcess(options: ProcessOptions): Promise<PerdureProcess> {
  const spawned = spawnProcess(options);
  const ready = await spawned.line(/"msg":"(perdure is up|tasks ready)/);
  const { apiUrl } = JSON.parse(ready) as { apiUrl?: string | null };
  return Object.defineProperty(spawned as SpawnedProcess & { url: string }, 'url', {
    get() {
      if (typeof apiUrl !== 'string') throw new Error(`perdure ${options.command.join(' ')} serves no API`);
      return apiUrl;
    },
  });
}

/** Without waiting for anything, for a process that is to fail or to be ended while it starts. */
export function spawnProcess({ command, environment }: ProcessOptions): SpawnedProcess {
  return spawnProgram([...perdure(), ...command], environment);
}

/** Another way to run the same: `['npm', 'start']`. */
export function spawnProgram(
  [file = '', ...programArguments]: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): SpawnedProcess {
  const folder = mkdtempSync(join(tmpdir(), 'perdure-process-'));
  const dataDir = join(folder, 'data');
  const child = spawn(file, programArguments, {
    cwd: repository,
    // A group of its own, so that a test can signal it as a terminal does.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...commonVariables(), LOG_FORMAT: 'json', DATA_DIR: dataDir, ...environment },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} could not be started`);
  const release = endWithUs(pid, { dataDir: environment['DATA_DIR'] ?? dataDir, folder });
  const exited = once(child, 'exit').then(([code, signal]): ProcessExit => {
    release();
    rmSync(folder, { recursive: true, force: true });
    return { code, signal };
  });
  return { pid, exited, ...outputOf(child, exited), ...endings(child, exited) };
}

const repository = fileURLToPath(new URL('../../', import.meta.url));

let perdureCommand: readonly string[] | null = null;

/** From dist when that is what the sources build to: it starts in a fifth of the time. Else the sources. */
function perdure(): readonly string[] {
  perdureCommand ??= isBuilt()
    ? [process.execPath, join(repository, 'dist/src/cli.js')]
    : [process.execPath, '--import', 'tsx', join(repository, 'src/cli.ts')];
  return perdureCommand;
}

function isBuilt(): boolean {
  try {
    execFileSync(process.execPath, [join(repository, 'scripts/build.mjs'), '--check'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A developer's own DATABASE_URL is none of a test's business. */
export function commonVariables(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

function outputOf(child: ChildProcess, exited: Promise<ProcessExit>): Pick<SpawnedProcess, 'lines' | 'line'> {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let hasEnded = false;
  const look = () => {
    for (const check of waiting) check();
  };
  const readers = [child.stdout, child.stderr].flatMap((stream) => (stream === null ? [] : [createInterface(stream)]));
  for (const reader of readers) {
    reader.on('line', (line) => {
      lines.push(line);
      look();
    });
  }
  const allRead = Promise.all(readers.map((reader) => once(reader, 'close')));
  // Output may arrive after the exit, and a child of its own may hold the pipes for longer still.
  void exited
    .then(() => Promise.race([allRead, sleep(outputDeadlineMs, undefined, { ref: false })]))
    .then(() => {
      hasEnded = true;
      look();
    });
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        const found = lines.find((candidate) => pattern.test(candidate));
        if (found === undefined && !hasEnded) return;
        waiting.delete(check);
        if (found === undefined) reject(new Error(`ended without a line like ${pattern}:\n${lines.join('\n')}`));
        else resolve(found);
      };
      waiting.add(check);
      check();
    });
  return { lines, line };
}

function endings(child: ChildProcess, exited: Promise<ProcessExit>): Pick<SpawnedProcess, 'signal' | 'kill' | 'stop'> {
  return {
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill('SIGKILL');
      return exited;
    },
    async stop() {
      child.kill('SIGTERM');
      let isLate = false;
      const deadline = setTimeout(() => {
        isLate = true;
        child.kill('SIGKILL');
      }, stopDeadlineMs);
      const exit = await exited;
      clearTimeout(deadline);
      if (isLate) throw new Error(`process ${child.pid} did not stop within ${stopDeadlineMs} ms of SIGTERM`);
      return exit;
    },
  };
}

/**
 * A shell that ends the process, its group, and an embedded Temporal that it may leave behind, once our end of the
 * shell's input closes, even by SIGKILL of us. Returns what calls it off.
 */
function endWithUs(pid: number, paths: { readonly dataDir: string; readonly folder: string }): () => void {
  const script = `
    read -r line
    kill -s TERM -- "-$1" 2>/dev/null && kill -s CONT -- "-$1"
    tries=0
    while kill -s 0 -- "-$1" 2>/dev/null && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
    kill -s KILL -- "-$1" 2>/dev/null
    temporal=$(sed -n 's/.*"pid":\\([0-9]*\\).*/\\1/p' "$2/temporal.json" 2>/dev/null)
    [ -n "$temporal" ] && kill -KILL "$temporal" 2>/dev/null
    rm -rf -- "$2" "$3"`;
  const shell = spawn('/bin/sh', ['-c', script, 'sh', String(pid), paths.dataDir, paths.folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  return () => void shell.kill('SIGKILL');
}
