import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FolderInUse, takeInstanceLock } from '../../src/instance-lock.ts';
import { identifyProcess, type ProcessIdentity } from '../../src/live-process.ts';
import { runProgram } from '../harness/program.ts';

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'perdure-lock-'));
});

afterEach(() => rm(dataDir, { recursive: true, force: true }));

async function leaveTicket(holder: ProcessIdentity): Promise<string> {
  await mkdir(join(dataDir, 'instance-lock'), { recursive: true });
  const ticket = join(dataDir, 'instance-lock', '1');
  await writeFile(ticket, JSON.stringify(holder));
  return ticket;
}

async function myself(): Promise<ProcessIdentity> {
  const me = await identifyProcess(process.pid);
  if (me === null) throw new Error('no such process');
  return me;
}

test('a second instance is refused with the pid of the first, until that one releases', async () => {
  const first = await takeInstanceLock(dataDir);
  await expect(takeInstanceLock(dataDir)).rejects.toThrow(
    `Another Perdure (process ${process.pid}) is already running on the folder ${dataDir}. Stop that one first, or set DATA_DIR to another folder.`,
  );
  await first.release();
  const second = await takeInstanceLock(dataDir);
  await second.release();
});

test('a missing folder is made for its owner alone', async () => {
  const lock = await takeInstanceLock(join(dataDir, 'deep', 'down'));
  expect(await readdir(join(dataDir, 'deep', 'down'))).toEqual(['instance-lock']);
  await lock.release();
});

test('the lock of a killed process is free, and that of a live one is not', async () => {
  const holder = runProgram('test/temporal/programs/hold-lock.ts', dataDir);
  await holder.line(/^held by/);
  await expect(takeInstanceLock(dataDir)).rejects.toThrow(`process ${holder.pid}`);
  await holder.kill('SIGKILL');
  const lock = await takeInstanceLock(dataDir);
  await lock.release();
});

test('a zombie holds nothing', async () => {
  // The shell becomes a `sleep`, which never collects the child that it inherits.
  const parent = spawn('/bin/sh', ['-c', 'sleep 300 & echo $!; exec sleep 300'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(String(line));
  const holder = await identifyProcess(pid);
  if (holder === null) throw new Error('the holder is not there');
  await leaveTicket(holder);
  await expect(takeInstanceLock(dataDir)).rejects.toThrow(FolderInUse);
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ' Z ')).toContain(' Z ');
  const lock = await takeInstanceLock(dataDir);
  await lock.release();
  parent.kill('SIGKILL');
});

test('a pid that now belongs to another process holds nothing', async () => {
  await leaveTicket({ ...(await myself()), startedAt: '1' });
  const lock = await takeInstanceLock(dataDir);
  await lock.release();
});

test('a holder of the boot before is gone', async () => {
  const me = await myself();
  await leaveTicket({ ...me, place: { ...me.place, boot: 'the boot before' } });
  const lock = await takeInstanceLock(dataDir, { silenceMaxMs: 60_000 });
  await lock.release();
});

test('a holder in another container is judged by whether it touches its ticket', async () => {
  const me = await myself();
  const elsewhere = { host: 'elsewhere', boot: me.place.boot, pidNamespace: 'pid:[1]' };
  const ticket = await leaveTicket({ ...me, place: elsewhere });
  const touching = setInterval(() => void utimes(ticket, new Date(), new Date()), 100);
  try {
    await expect(takeInstanceLock(dataDir)).rejects.toThrow(`process ${process.pid} on host elsewhere`);
  } finally {
    clearInterval(touching);
  }
  const lines: string[] = [];
  const lock = await takeInstanceLock(dataDir, { silenceMaxMs: 500, onProgress: (line) => lines.push(line) });
  expect(lines).toEqual(['Waiting for a sign of life from the Perdure on host elsewhere that had this folder']);
  await lock.release();
});

test('a ticket that the machine died over is free', async () => {
  await leaveTicket(await myself());
  await writeFile(join(dataDir, 'instance-lock', '1'), '');
  const lock = await takeInstanceLock(dataDir);
  await lock.release();
});

test('of many starters that find a stale lock, exactly one gets it', async () => {
  await leaveTicket({ ...(await myself()), startedAt: '1' });
  const takes = await Promise.allSettled(Array.from({ length: 30 }, () => takeInstanceLock(dataDir)));
  const won = takes.filter((take) => take.status === 'fulfilled');
  expect(won).toHaveLength(1);
  for (const take of takes) if (take.status === 'rejected') expect(take.reason).toBeInstanceOf(FolderInUse);
  await won[0]?.value.release();
  // No litter: the released ticket, and the one before it.
  expect((await readdir(join(dataDir, 'instance-lock'))).toSorted()).toEqual(['1', '2']);
});

test('processes that take and give back without pause never hold together', async () => {
  const programs = Array.from({ length: 3 }, () => runProgram('test/temporal/programs/contend-for-lock.ts', dataDir));
  await Promise.all(programs.map((program) => program.line(/^ready/)));
  const held = await Promise.all(
    programs.map(async (program) => {
      await expect.poll(newestTicket, { timeout: 20_000 }).toBeGreaterThan(150);
      program.endInput();
      const [, count] = await program.line(/^held (\d+)$/);
      return Number(count);
    }),
  );
  expect(await Promise.all(programs.map((program) => program.exited))).toEqual([0, 0, 0]);
  expect(held.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(150);
});

async function newestTicket(): Promise<number> {
  const names = await readdir(join(dataDir, 'instance-lock')).catch(() => []);
  return Math.max(0, ...names.map(Number).filter(Number.isInteger));
}
