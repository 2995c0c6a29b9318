/**
 * A Temporal server of a test's own, to be killed, paused and wiped. Nothing of it outlives the process that
 * started it, however that ends.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type EmbeddedTemporal, startEmbeddedTemporal } from '../../src/temporal/embedded-server.ts';
import { freePort } from './free-port.ts';

export interface PrivateTemporal {
  readonly address: string;
  readonly uiUrl: string;
  /** Holds its store and log; removed by `stop`. */
  readonly dataDir: string;
  /** SIGSTOP: connections stay open, nothing answers. Resolves when every thread stands still. */
  pause(): Promise<void>;
  resume(): void;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** After `kill`: again, on the same port and store. */
  restart(): Promise<void>;
  /** Kills it and starts it again on the same port with an empty store. */
  wipe(): Promise<void>;
  stop(): Promise<void>;
}

export interface PrivateTemporalOptions {
  readonly cliPath: string;
  readonly namespaces?: readonly string[];
}

export async function startPrivateTemporalWith(options: PrivateTemporalOptions): Promise<PrivateTemporal> {
  const dataDir = await mkdtemp(join(tmpdir(), 'perdure-temporal-'));
  const [port, uiPort] = [await freePort(), await freePort()];
  const start = async (): Promise<Guarded> => {
    const server = await startEmbeddedTemporal({
      cliPath: options.cliPath,
      dataDir,
      host: '127.0.0.1',
      port,
      uiPort,
      namespaces: options.namespaces ?? [],
      onProgress: () => undefined,
      // A test that kills its server knows.
      onExit: () => undefined,
    });
    return { server, release: endWithUs(server.pid, dataDir) };
  };
  let running = await start();
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (signal === 'SIGKILL') sendTo(running.server.pid, signal);
    await running.server.stop();
    running.release();
  };
  return {
    address: running.server.address,
    uiUrl: running.server.uiUrl,
    dataDir,
    async pause() {
      sendTo(running.server.pid, 'SIGSTOP');
      await standsStill(running.server.pid);
    },
    resume: () => sendTo(running.server.pid, 'SIGCONT'),
    kill: () => end('SIGKILL'),
    async restart() {
      running = await start();
    },
    async wipe() {
      await end('SIGKILL');
      await Promise.all(
        ['', '-wal', '-shm'].map((suffix) => rm(join(dataDir, `temporal.db${suffix}`), { force: true })),
      );
      running = await start();
    },
    async stop() {
      // Its store is thrown away: a clean stop would only cost a second.
      await end('SIGKILL');
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

interface Guarded {
  readonly server: EmbeddedTemporal;
  release(): void;
}

function sendTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

const pauseDeadlineMs = 5_000;

/** The signal only asks: each thread stops when it gets to it. */
async function standsStill(pid: number): Promise<void> {
  const threads = process.platform === 'linux' ? ['-L'] : [];
  for (const endAt = Date.now() + pauseDeadlineMs; Date.now() < endAt; await sleep(5)) {
    const { stdout } = await promisify(execFile)('ps', [...threads, '-o', 'state=', '-p', String(pid)]);
    if (
      stdout
        .trim()
        .split(/\s+/)
        .every((state) => state.startsWith('T'))
    )
      return;
  }
  throw new Error(`process ${pid} does not stop`);
}

/**
 * A shell that ends `pid` and removes its folder once our end of its input closes, even by SIGKILL of us.
 * Returns what calls it off.
 */
export function endWithUs(pid: number, folder: string): () => void {
  const script = 'read -r line; kill -KILL "$1" 2>/dev/null; sleep 0.2; rm -rf -- "$2"';
  const shell = spawn('/bin/sh', ['-c', script, 'sh', String(pid), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  return () => void shell.kill('SIGKILL');
}
