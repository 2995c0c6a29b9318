/** Processor time of other processes: what a busy machine disturbs least, and what bounds throughput on few cores. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts in ticks of 10 ms. */
const tickMs = 10;

/** User and system milliseconds so far, of each process and its living children; null where the system keeps no /proc. */
export function processorMs(pids: readonly number[]): number | null {
  if (process.platform !== 'linux') return null;
  return pids.flatMap((pid) => [pid, ...childrenOf(pid)]).reduce((sum, pid) => sum + ticksOf(pid) * tickMs, 0);
}

function ticksOf(pid: number): number {
  // The name, in parentheses, may hold anything; user and system time are the 12th and 13th field after it.
  const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
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
