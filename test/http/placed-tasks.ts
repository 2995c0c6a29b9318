/** One task whose output tells who served it, from which queue, and what it was given. */
import { activityInfo } from '@temporalio/activity';
import { defineTask, startTaskWorker } from '../../src/tasks/index.ts';
import type { Site, TestServer } from '../harness/server.ts';

export interface PlacedTasks {
  stop(): Promise<void>;
}

export interface PlacedTasksOptions {
  readonly site: Site;
  readonly server: Pick<TestServer, 'url'>;
  readonly queue?: string;
  readonly version?: string;
  readonly machine?: 'small-1x';
  readonly region?: string;
}

/** Serves the task `placed`, which ends at once. */
export async function startPlacedTasks({ site, server, ...placement }: PlacedTasksOptions): Promise<PlacedTasks> {
  return await startTaskWorker({
    tasks: [
      defineTask({
        id: 'placed',
        run: (payload, { run, attempt }) => ({ taskQueue: activityInfo().taskQueue, payload, run, attempt }),
      }),
    ],
    secretKey: site.devKey,
    apiUrl: server.url,
    temporal: { address: site.temporalAddress, namespace: site.namespace },
    shutdownGraceMs: 0,
    ...placement,
  });
}
