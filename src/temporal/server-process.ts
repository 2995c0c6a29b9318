/**
 * The process of the embedded Temporal. It is recorded before it may begin, so that one that outlives a killed
 * Perdure is found again and stopped, and a process that merely has its pid is never touched.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifyProcess, isAlive, type ProcessIdentity, readIdentity } from '../live-process.ts';

export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServerProcess {
  readonly pid: number;
  readonly exited: Promise<ServerExit>;
  isRunning(): boolean;
  /** Resolves when the process is gone; safe to call again. */
  stop(): Promise<void>;
}

export interface ServerCommand {
  /** Absolute. */
  readonly path: string;
  readonly arguments: readonly string[];
  /** Its working folder. */
  readonly folder: string;
  /** Open for appending; takes stdout and stderr. */
  readonly logFd: number;
  /** Where the running process is recorded. */
  readonly recordPath: string;
}

/** A clean stop takes about 1.2 s. */
const terminateDeadlineMs = 10_000;
const killDeadlineMs = 5_000;
const pollIntervalMs = 25;

/** Our own variables name secrets, and the CLI reads some of them as its own options. */
const inheritedVariables = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ'];

export async function startServerProcess(command: ServerCommand): Promise<ServerProcess> {
  // The shell waits for one line before it becomes the server. Should we be killed before the record is
  // written, its input ends instead and nothing is left running.
  const child = spawn(
    '/bin/sh',
    ['-c', 'read -r go && exec "$@" </dev/null', 'sh', command.path, ...command.arguments],
    {
      // A group of its own: a terminal's Ctrl-C must not reach it before we stop it in order.
      detached: true,
      cwd: command.folder,
      stdio: ['pipe', command.logFd, command.logFd],
      env: Object.fromEntries(inheritedVariables.map((name) => [name, process.env[name]])),
    },
  );
  const exited = once(child, 'exit').then(([code, signal]): ServerExit => ({ code, signal }));
  const { pid, stdin } = child;
  if (pid === undefined || stdin === null) {
    await exited;
    throw new Error('The shell that starts Temporal could not be run.');
  }
  // A shell that is gone already shows in `exited`.
  stdin.on('error', () => undefined);
  const identity = await identifyProcess(pid);
  if (identity !== null) await record(command.recordPath, identity);
  stdin.end('go\n');
  return supervise(child, exited, { pid, recordPath: command.recordPath });
}

function supervise(
  child: ChildProcess,
  exited: Promise<ServerExit>,
  { pid, recordPath }: { readonly pid: number; readonly recordPath: string },
): ServerProcess {
  // Last resort for an exit that stops nothing in order; a signal that kills us outright leaves it to the record.
  const terminate = () => void child.kill('SIGTERM');
  process.once('exit', terminate);
  let stopping: Promise<void> | null = null;
  const stop = async () => {
    child.kill('SIGTERM');
    if (!(await endsWithin(exited, terminateDeadlineMs))) {
      child.kill('SIGKILL');
      await exited;
    }
    process.off('exit', terminate);
    await rm(recordPath, { force: true });
  };
  return {
    pid,
    exited,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}

async function endsWithin(exited: Promise<ServerExit>, deadlineMs: number): Promise<boolean> {
  const timeout = new AbortController();
  const ended = await Promise.race([
    exited.then(() => true),
    sleep(deadlineMs, false, { signal: timeout.signal }).catch(() => false),
  ]);
  timeout.abort();
  return ended;
}

async function record(path: string, identity: ProcessIdentity): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(identity), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/**
 * Stops the server that a killed Perdure left behind, if there is one. The caller holds the folder's lock, so a
 * live process in the record has no other owner.
 * @throws when that process can be neither asked nor made to end
 */
export async function stopOrphan(recordPath: string, onProgress: (line: string) => void): Promise<void> {
  const orphan = readIdentity(await readFile(recordPath, 'utf8').catch(() => ''));
  if (orphan !== null && (await isAlive(orphan))) {
    onProgress(`Stopping the Temporal server (process ${orphan.pid}) that an earlier Perdure left behind`);
    const gone =
      (await endsAfter(orphan, 'SIGTERM', terminateDeadlineMs)) || (await endsAfter(orphan, 'SIGKILL', killDeadlineMs));
    if (!gone)
      throw new Error(`The Temporal server of an earlier Perdure (process ${orphan.pid}) does not end. Stop it first.`);
  }
  await rm(recordPath, { force: true });
}

async function endsAfter(orphan: ProcessIdentity, signal: NodeJS.Signals, deadlineMs: number): Promise<boolean> {
  try {
    process.kill(orphan.pid, signal);
  } catch (thrown) {
    // ESRCH: it ended by itself. Anything else, such as another user's process, shows at the deadline.
    if ((thrown as NodeJS.ErrnoException).code === 'ESRCH') return true;
  }
  for (const endAt = Date.now() + deadlineMs; Date.now() < endAt; await sleep(pollIntervalMs)) {
    if (!(await isAlive(orphan))) return true;
  }
  return false;
}
