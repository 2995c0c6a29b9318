/** Processor time of other processes: what a busy machine disturbs least, and what bounds throughput on few cores. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts in ticks of 10 ms. */
const tickMs = 10;

/** User and system milliseconds of these processes so far; null where the system keeps no /proc. */
export function processorMs(pids: readonly number[]): number | null {
  if (process.platform !== 'linux') return null;
  return pids.reduce((sum, pid) => sum + ticksOf(pid) * tickMs, 0);
}

/** A process and its children as they are now. */
export function familyOf(pid: number): number[] {
  const children = threadsOf(pid).flatMap((thread) => read(`/proc/${pid}/task/${thread}/children`).split(' '));
  return [pid, ...children.filter(Boolean).map(Number)];
}

function ticksOf(pid: number): number {
  // The name, in parentheses, may hold anything; user and system time are the 12th and 13th field after it.
  const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Empty when the process is gone. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
