/** The demo task's worker: a process of its own, as a customer's would be. */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.ts';
import type { RunningServer } from './main.ts';
import type { Log } from './observe/log.ts';

export interface Demo {
  stop(): Promise<void>;
}

/** Its attempts are handed over within the worker's own grace; after this it is killed. */
const stopDeadlineMs = 15_000;

/** Only the embedded mode's dev key is known here, so with keys of the operator's own the first one is used. */
export function startDemo(parts: { config: Config; server: RunningServer; log: Log }): Demo | null {
  const { config, server, log } = parts;
  const secretKey = server.devKey ?? config.secretKeys?.[0];
  if (secretKey === undefined || server.apiUrl === null) return null;
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const file = (relative: string) => fileURLToPath(new URL(`${relative}.${extension}`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, file('./cli'), 'tasks', file('../examples/demo-task')], {
    // A group of its own: a terminal's Ctrl-C reaches this process, which then stops it in order.
    detached: true,
    // The channel carries nothing: it closes when this process dies without stopping the worker, which then stops.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: {
      ...process.env,
      TRIGGER_SECRET_KEY: secretKey,
      TRIGGER_API_URL: server.apiUrl,
      TEMPORAL_ADDRESS: server.temporalAddress,
      TEMPORAL_NAMESPACE: config.temporal.namespace,
      // Ctrl-C is quick: a run in hand is handed over to the next start.
      TASK_SHUTDOWN_GRACE_SECONDS: '0',
    },
  });
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      log.error({ error }, 'the demo task could not be started');
      resolve();
    });
    child.once('exit', (code, signal) => {
      if (code !== 0 && signal !== 'SIGTERM') log.warn({ code, signal }, 'the demo task ended');
      resolve();
    });
  });
  return {
    async stop() {
      child.kill('SIGTERM');
      const deadline = new AbortController();
      await Promise.race([
        exited,
        sleep(stopDeadlineMs, undefined, { signal: deadline.signal }).catch(() => undefined),
      ]);
      deadline.abort();
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
