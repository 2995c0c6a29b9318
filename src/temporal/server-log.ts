/** The log file of the embedded Temporal: the child writes it, we bound it. */
import { open, rename, stat, truncate } from 'node:fs/promises';

/** At its warn level the server writes little; a fault that repeats must not fill the disk. */
const defaultBound = { bytesMax: 8 * 1024 * 1024, checkIntervalMs: 30_000 };
/** Enough to hold the reason why a server gave up. */
const tailBytesMax = 8_192;

export interface ServerLog {
  /** For the child's stdout and stderr; opened for appending, so that truncating moves its next write too. */
  readonly fd: number;
  /** The last lines, at most `count`. */
  tail(count: number): Promise<string>;
  close(): Promise<void>;
}

/** Starts an empty log; the one of the start before is kept beside it as `<path>.previous`. */
export async function openServerLog(path: string, bound = defaultBound): Promise<ServerLog> {
  await rename(path, `${path}.previous`).catch(() => undefined);
  const file = await open(path, 'a', 0o600);
  const check = setInterval(() => void truncateBeyond(path, bound.bytesMax), bound.checkIntervalMs).unref();
  return {
    fd: file.fd,
    tail: (count) => tailOf(path, count),
    async close() {
      clearInterval(check);
      await file.close();
    },
  };
}

async function truncateBeyond(path: string, bytesMax: number): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found !== null && found.size > bytesMax) await truncate(path, 0).catch(() => undefined);
}

async function tailOf(path: string, count: number): Promise<string> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return '';
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(Math.min(size, tailBytesMax)),
      position: Math.max(0, size - tailBytesMax),
    });
    return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-count).join('\n');
  } finally {
    await file.close();
  }
}
