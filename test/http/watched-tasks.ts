/** Tasks that tests of runs steer and watch, and a plain Temporal worker that falls silent as a killed one does. */
import { setTimeout as sleep } from 'node:timers/promises';
import { activityInfo, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import type { RunInput } from '../../src/domain/run-input.ts';
import { defineTask, startTaskWorker } from '../../src/tasks/index.ts';
import type { Site, TestServer } from '../harness/server.ts';
import type { TestTemporal } from '../harness/temporal.ts';

export interface WatchedTasks {
  /** Milliseconds since 1970 at which the signal of a run's attempt fired. */
  readonly signalledAtMs: ReadonlyMap<string, number>;
  /** Lets a run of `stubborn` return. */
  release(runId: string): void;
  stop(): Promise<void>;
}

export interface WatchedTasksOptions {
  readonly site: Site;
  readonly server: Pick<TestServer, 'url'>;
  readonly temporal: TestTemporal;
}

/** Longer than any test waits: what ends such a run is a signal, or nothing. */
const foreverMs = 600_000;

/**
 * `listening` lives until its signal fires, `stubborn` ignores it until it is released, `returning` returns what its
 * payload says, `throwing` throws an error with a cause, `postponed` fails an attempt and asks for a long pause,
 * `silent` claims and is then never heard of again.
 */
export async function startWatchedTasks({ site, server, temporal }: WatchedTasksOptions): Promise<WatchedTasks> {
  const signalledAtMs = new Map<string, number>();
  const stubborn = new Map<string, () => void>();
  const tasks = [
    defineTask({
      id: 'listening',
      run: async (_payload, { run, signal }) => {
        signal.addEventListener('abort', () => signalledAtMs.set(run.id, Date.now()));
        await sleep(foreverMs, null, { signal });
      },
    }),
    defineTask({
      id: 'stubborn',
      run: (_payload, { run }) =>
        new Promise((resolve) => {
          stubborn.set(run.id, () => resolve('finished all the same'));
        }),
    }),
    defineTask({ id: 'returning', run: (payload: { value?: unknown }) => payload.value }),
    defineTask({
      id: 'throwing',
      run: () => {
        throw new TypeError('zu spät 🙂\nsecond line\0 \ud83d', { cause: new Error('the cause') });
      },
    }),
    defineTask({
      id: 'postponed',
      run: () => {
        throw ApplicationFailure.create({ message: 'come back later', nextRetryDelay: foreverMs });
      },
    }),
  ];
  const worker = await startTaskWorker({
    tasks,
    secretKey: site.devKey,
    apiUrl: server.url,
    temporal: { address: site.temporalAddress, namespace: site.namespace },
    shutdownGraceMs: 0,
  });
  const silent = await startSilentWorker(site, temporal);
  return {
    signalledAtMs,
    release: (runId) => stubborn.get(runId)?.(),
    async stop() {
      await Promise.all([worker.stop(), silent.stop()]);
    },
  };
}

async function startSilentWorker(site: Site, temporal: TestTemporal) {
  const silent = async ({ api }: RunInput) => {
    await fetch(api.url + api.claim, {
      method: 'POST',
      headers: { Authorization: `Bearer ${site.devKey}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ attempt: activityInfo().attempt }),
    });
    return Context.current().cancelled;
  };
  const worker = await Worker.create({
    connection: temporal.connection,
    namespace: site.namespace,
    taskQueue: 'dev/task/silent',
    activities: { silent },
    shutdownForceTime: '5s',
  });
  const ended = worker.run();
  return {
    stop() {
      worker.shutdown();
      return ended;
    },
  };
}
