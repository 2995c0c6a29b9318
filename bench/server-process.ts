/** Our server as production runs it: compiled, in a process of its own, its log going to a file. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { StopStack } from '../src/stop-stack.ts';
import { freePort } from '../test/harness/free-port.ts';
import { endWithUs } from '../test/harness/private-temporal.ts';

export interface ServerProcess {
  readonly url: string;
  readonly secretKey: string;
  readonly namespace: string;
  readonly pid: number;
}

export interface ServerProcessOptions {
  readonly temporalAddress: string;
  readonly namespace: string;
  /** Null: PGlite in a folder of its own. */
  readonly databaseUrl: string | null;
}

/** All servers of a bench have them, as the processes of one deployment do. */
const secretKey = `tr_dev_${randomBytes(12).toString('hex')}`;
const encryptionKey = randomBytes(32).toString('hex');

const startDeadlineMs = 60_000;
const command = fileURLToPath(new URL('../dist/src/cli.js', import.meta.url));

/** API and session worker in one process, serving when this resolves. `npm run build` must have run. */
export async function startServerProcess(options: ServerProcessOptions, stops: StopStack): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'perdure-bench-'));
  const port = await freePort();
  const log = openSync(join(folder, 'log'), 'a');
  const child = spawn(process.execPath, [command, 'api'], {
    env: { ...environmentOf(options), PORT: String(port), SECRET_KEYS: secretKey, DATA_DIR: join(folder, 'data') },
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error('our server could not be started');
  const release = endWithUs(pid, folder);
  const exited = once(child, 'exit');
  stops.push(
    `server of ${options.namespace}`,
    async () => {
      child.kill('SIGTERM');
      await exited;
      release();
      rmSync(folder, { recursive: true, force: true });
    },
    30_000,
  );
  const url = `http://127.0.0.1:${port}`;
  for (const endAt = Date.now() + startDeadlineMs; !(await isReady(url)); await sleep(50)) {
    if (child.exitCode !== null || Date.now() > endAt) {
      throw new Error(`our server did not start:\n${readFileSync(join(folder, 'log'), 'utf8').slice(-4_000)}`);
    }
  }
  return { url, secretKey, namespace: options.namespace, pid };
}

/** Nothing of the caller's own settings but where programs are found. */
function environmentOf({ temporalAddress, namespace, databaseUrl }: ServerProcessOptions): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: namespace,
    ENCRYPTION_KEY: encryptionKey,
    LOG_FORMAT: 'json',
    // Rows that were put there in bulk have no workflow, and it would start one for each of them.
    RECONCILE_SECONDS: '0',
    ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl }),
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/readyz`);
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}
