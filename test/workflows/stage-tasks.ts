/** Tasks that a test ends when it wants to, and one whose worker falls silent. */
import { activityInfo, Context } from '@temporalio/activity';
import { type NativeConnection, Worker } from '@temporalio/worker';
import { defineTask, startTaskWorker } from '../../src/tasks/index.ts';
import type { Site, TestServer } from '../harness/server.ts';
import { until } from './wait.ts';

export interface StageTasks {
  /** Lets a run of the task `told` end, once it has begun. */
  tell(runId: string): Promise<void>;
  /** Runs of the task `silent` that have begun. */
  readonly silentRuns: ReadonlySet<string>;
  stop(): Promise<void>;
}

export async function startStageTasks(
  site: Site,
  server: TestServer,
  connection: NativeConnection,
): Promise<StageTasks> {
  const running = new Map<string, () => void>();
  const told = defineTask({
    id: 'told',
    run: (_payload, { run, signal }) =>
      new Promise((resolve, reject) => {
        running.set(run.id, () => resolve('told to end'));
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  });
  const toldWorker = await startTaskWorker({
    tasks: [told],
    secretKey: site.devKey,
    apiUrl: server.url,
    temporal: { address: site.temporalAddress, namespace: site.namespace },
    shutdownGraceMs: 0,
  });
  const silent = await startSilentWorker(site, connection);
  return {
    silentRuns: silent.runs,
    async tell(runId) {
      const end = await until(() => running.get(runId), `run ${runId} begins`);
      end();
    },
    async stop() {
      await Promise.all([toldWorker.stop(), silent.stop()]);
    },
  };
}

/** A plain Temporal worker: it neither claims nor heartbeats, as one that was killed. */
async function startSilentWorker(site: Site, connection: NativeConnection) {
  const runs = new Set<string>();
  const worker = await Worker.create({
    connection,
    namespace: site.namespace,
    taskQueue: 'dev/task/silent',
    activities: {
      silent: () => {
        runs.add(activityInfo().activityId);
        return Context.current().cancelled;
      },
    },
    shutdownForceTime: '5s',
  });
  const ended = worker.run();
  return {
    runs,
    stop() {
      worker.shutdown();
      return ended;
    },
  };
}
