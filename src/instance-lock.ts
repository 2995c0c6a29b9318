/**
 * One Perdure per data folder. The lock is a row of numbered tickets; the highest one names the holder.
 *
 * L1 A ticket appears whole and once: it is a hard link of a prepared file.
 * L2 The highest ticket is never removed, only marked as released, so numbers never fall back.
 * L3 Whoever finds the highest ticket's holder gone links the next number; of two racers one fails.
 * L4 Whoever has linked a number and then sees a higher one was late, and withdraws.
 *
 * So a taker that slept between looking and linking can neither reuse a number (L2) nor hold below another (L4).
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  currentPlace,
  identifyProcess,
  isAlive,
  isSamePlace,
  type ProcessIdentity,
  type ProcessPlace,
  readIdentity,
} from './live-process.ts';

export interface InstanceLock {
  /** Lets the next instance in at once; a process that dies without it is found out by its pid. */
  release(): Promise<void>;
}

export interface TakeLockOptions {
  readonly onProgress?: (line: string) => void;
  /** Bounds how long a holder that cannot be judged by its pid is watched for a sign of life. */
  readonly silenceMaxMs?: number;
}

/** The message is a sentence for the user. */
export class FolderInUse extends Error {
  constructor(dataDir: string, holder: ProcessIdentity, place: ProcessPlace) {
    const where = isSamePlace(holder.place, place) ? '' : ` on host ${holder.place.host}`;
    super(
      `Another Perdure (process ${holder.pid}${where}) is already running on the folder ${dataDir}. ` +
        'Stop that one first, or set DATA_DIR to another folder.',
    );
    this.name = 'FolderInUse';
  }
}

/** Each lost race means that somebody else has moved on, so more rounds than starters are never needed. */
const roundsMax = 50;
/** A holder in another container is alive if its ticket is touched; a start of PGlite blocks it for up to 6 s. */
const touchIntervalMs = 1_000;
const silenceMaxDefaultMs = 10_000;

const released = JSON.stringify({ released: true });

/**
 * @param dataDir made if it is missing, for its owner alone
 * @throws FolderInUse when a live process holds it
 */
export async function takeInstanceLock(dataDir: string, options: TakeLockOptions = {}): Promise<InstanceLock> {
  const folder = join(dataDir, 'instance-lock');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const me = await identifyProcess(process.pid);
  if (me === null) throw new Error('This process cannot find itself among the running processes.');
  for (let round = 0; round < roundsMax; round += 1) {
    const newest = await newestTicket(folder);
    const holder = await holderOf(folder, newest);
    if (holder !== null && (await holds(holder, ticketPath(folder, newest), options))) {
      throw new FolderInUse(dataDir, holder, me.place);
    }
    if (await claimTicket(folder, newest + 1, me)) {
      await sweep(folder, newest + 1);
      return heldLock(folder, newest + 1);
    }
  }
  throw new Error(`The lock of the folder ${dataDir} changes hands too often to be taken.`);
}

const ticketPath = (folder: string, number: number): string => join(folder, String(number));

async function newestTicket(folder: string): Promise<number> {
  const names = await readdir(folder);
  return names.reduce((newest, name) => (/^\d{1,15}$/.test(name) ? Math.max(newest, Number(name)) : newest), 0);
}

/** Null when released, or when it is no ticket: L1 makes a live holder's whole, so that one died with the machine. */
async function holderOf(folder: string, number: number): Promise<ProcessIdentity | null> {
  if (number === 0) return null;
  try {
    return readIdentity(await readFile(ticketPath(folder, number), 'utf8'));
  } catch (thrown) {
    // Swept meanwhile. One that may not be read is somebody's, and no licence to take over.
    if (isErrorCode(thrown, 'ENOENT')) return null;
    throw thrown;
  }
}

async function holds(holder: ProcessIdentity, ticket: string, options: TakeLockOptions): Promise<boolean> {
  const place = await currentPlace();
  if (isSamePlace(holder.place, place)) return isAlive(holder);
  // The same machine after a reboot: nothing of the boot before is left.
  if (holder.place.host === place.host && holder.place.boot !== place.boot) return false;
  options.onProgress?.(`Waiting for a sign of life from the Perdure on host ${holder.place.host} that had this folder`);
  return isTouched(ticket, options.silenceMaxMs ?? silenceMaxDefaultMs);
}

/** Compares the file's own times, so that two hosts' clocks need not agree. */
async function isTouched(ticket: string, silenceMaxMs: number): Promise<boolean> {
  const touchedAt = async () => (await stat(ticket).catch(() => null))?.mtimeMs;
  const first = await touchedAt();
  for (let waited = 0; waited < silenceMaxMs; waited += touchIntervalMs / 4) {
    await sleep(touchIntervalMs / 4);
    if ((await touchedAt()) !== first) return true;
  }
  return false;
}

/** False when another taker was first. */
async function claimTicket(folder: string, number: number, me: ProcessIdentity): Promise<boolean> {
  const ticket = ticketPath(folder, number);
  const prepared = await prepareFile(folder, JSON.stringify(me));
  try {
    await link(prepared, ticket);
  } catch (thrown) {
    // ENOENT: a holder that was quicker has swept our prepared file away.
    if (isErrorCode(thrown, 'EEXIST', 'ENOENT')) return false;
    throw new Error(`The folder ${folder} cannot hold a lock; DATA_DIR must be on a file system with hard links.`, {
      cause: thrown,
    });
  } finally {
    await unlinkQuietly(prepared);
  }
  if ((await newestTicket(folder)) === number) return true;
  await unlinkQuietly(ticket);
  return false;
}

function heldLock(folder: string, number: number): InstanceLock {
  const ticket = ticketPath(folder, number);
  const touch = setInterval(() => void touchQuietly(ticket), touchIntervalMs).unref();
  return {
    async release() {
      clearInterval(touch);
      const prepared = await prepareFile(folder, released);
      // Gone when a successor took this process for dead and swept: the lock is no longer ours to release.
      await rename(prepared, ticket).catch(() => undefined);
    },
  };
}

/** The ticket before ours stays, so that a listing made while tickets change hands never misses both (L4). */
async function sweep(folder: string, number: number): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  const past = names.filter((name) => !/^\d+$/.test(name) || Number(name) < number - 1);
  await Promise.all(past.map((name) => unlinkQuietly(join(folder, name))));
}

/** On disk before it gets its name, so that a power cut leaves no half ticket. */
async function prepareFile(folder: string, content: string): Promise<string> {
  const path = join(folder, `prepared-${process.pid}-${randomUUID()}`);
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  return path;
}

async function touchQuietly(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}

async function unlinkQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => undefined);
}

function isErrorCode(thrown: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((thrown as NodeJS.ErrnoException).code ?? '');
}
