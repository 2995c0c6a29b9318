/**
 * Which process a pid names. A pid alone proves nothing: it may have been reused, or be a zombie that its
 * parent has not collected yet. So a process is named by pid, place and start time.
 */
import { type ExecFileException, execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the system's own unit; compared, never computed with. */
  readonly startedAt: string;
  readonly place: ProcessPlace;
}

/** Where pids mean something: two containers on one folder count them apart, and a reboot counts anew. */
export interface ProcessPlace {
  readonly host: string;
  /** Id of the running boot; empty where the system keeps none. */
  readonly boot: string;
  /** Empty where the system has no such thing. */
  readonly pidNamespace: string;
}

/** `ps` and `sysctl` are forks on a machine that may be busy. */
const commandDeadlineMs = 5_000;

/** Null when no process has this pid, or only a zombie. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  const startedAt = process.platform === 'linux' ? await linuxStartOf(pid) : await psStartOf(pid);
  return startedAt === null ? null : { pid, startedAt, place: await currentPlace() };
}

/** Judges processes of this place only; one of another place counts as gone. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const found = await identifyProcess(identity.pid);
  return found !== null && found.startedAt === identity.startedAt && isSamePlace(found.place, identity.place);
}

export async function currentPlace(): Promise<ProcessPlace> {
  const [boot, pidNamespace] = await Promise.all([
    process.platform === 'linux'
      ? readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
      : run('sysctl', ['-n', 'kern.bootsessionuuid']).then((answer) => answer.stdout),
    readlink('/proc/self/ns/pid').catch(() => ''),
  ]);
  return { host: hostname(), boot: boot.trim(), pidNamespace };
}

/** The host's name is left out: a laptop changes it with its network. */
export const isSamePlace = (left: ProcessPlace, right: ProcessPlace): boolean =>
  left.boot === right.boot && left.pidNamespace === right.pidNamespace;

/** What `identifyProcess` answered, back from a file; null for anything else. */
export function readIdentity(text: string): ProcessIdentity | null {
  try {
    const parsed = JSON.parse(text) as ProcessIdentity | null;
    const place = parsed?.place;
    const complete =
      Number.isSafeInteger(parsed?.pid) &&
      [parsed?.startedAt, place?.host, place?.boot, place?.pidNamespace].every((part) => typeof part === 'string');
    return complete ? parsed : null;
  } catch {
    return null;
  }
}

/** Clock ticks since boot: field 22 of `stat`, counted after the name, which may hold spaces and brackets. */
async function linuxStartOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  return state === 'Z' || state === 'X' ? null : (fields[19] ?? null);
}

/** Wherever there is no `/proc`. */
export async function psStartOf(pid: number): Promise<string | null> {
  const { stdout, error } = await run('ps', ['-o', 'state=,lstart=', '-p', String(pid)]);
  const [, state, startedAt] = /^(\S+)\s+(.+)$/.exec(stdout.trim()) ?? [];
  if (state !== undefined) return state.startsWith('Z') ? null : (startedAt ?? null);
  // `ps` exits with 1 when there is no such process; anything else must not be taken for that.
  if (error?.code === 1) return null;
  throw new Error(`ps cannot tell whether process ${pid} is alive`, { cause: error });
}

function run(
  command: string,
  commandArguments: readonly string[],
): Promise<{ stdout: string; error: ExecFileException | null }> {
  // A fixed locale and time zone, or the same start would read differently from another shell.
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  return new Promise((resolve) => {
    execFile(command, commandArguments, { env, timeout: commandDeadlineMs }, (error, stdout) =>
      resolve({ stdout, error }),
    );
  });
}
