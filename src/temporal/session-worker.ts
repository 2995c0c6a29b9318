/** The worker of session workflows and their local activities; each API process runs one, more can run alone. */
import {
  type CompiledWorkerOptions,
  type Logger,
  type NativeConnection,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import type { CompiledWorkerOptionsWithBuildId } from '@temporalio/worker/lib/worker-options.js';
import { globalHandlers } from '@temporalio/worker/lib/workflow/vm-shared.js';
import type { WorkflowBundleWithSourceMapAndFilename } from '@temporalio/worker/lib/workflow/workflow-worker-thread/input.js';
import { stickyTimeoutMs } from '../domain/limits.ts';
import { sessionTaskQueue } from './session-orders.ts';

export interface SessionWorkerOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly activities: object;
  /** A bundle made at build time, or the entry of the workflow sources. */
  readonly workflows: Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath' | 'bundlerOptions'>;
  readonly onFailed: (cause: unknown) => void;
}

export interface RunningWorker {
  /** What it says of its code at each step; made by the SDK of the workflow bundle. */
  readonly buildId: string;
  /** Finishes what it has begun, within the bound of `shutdownForceTime`. */
  stop(): Promise<void>;
}

/**
 * Workflows run in the thread of the process, not in one of their own, without the SDK's watch over them: each step
 * of a session is a millisecond of code that waits for nothing, and what it hands over between threads, the thread
 * that Node starts to time each call into the sandbox, and a stack trace for each promise cost as much again
 * (docs/decisions/0010-cost-of-a-create.md). What is given up, the end of a step that spins, no step of ours can need.
 */
class SessionWorker extends Worker {
  protected static override async createWorkflowCreator(
    bundle: WorkflowBundleWithSourceMapAndFilename,
    options: CompiledWorkerOptions,
    logger: Logger,
  ) {
    const unwatched = { ...options, debugMode: true, isolateExecutionTimeoutMs: undefined as unknown as number };
    const creator = await super.createWorkflowCreator(bundle, unwatched, logger);
    // They would see each promise of the whole process, not only those of workflows.
    globalHandlers.uninstall();
    globalHandlers.promiseHookInstalled = false;
    return creator;
  }
}

export async function startSessionWorker(options: SessionWorkerOptions): Promise<RunningWorker> {
  const worker = await SessionWorker.create({
    connection: options.connection,
    namespace: options.namespace,
    taskQueue: sessionTaskQueue,
    activities: options.activities,
    ...options.workflows,
    // Local activities only: a run is executed by its task's own worker.
    enableNonLocalActivities: false,
    stickyQueueScheduleToStartTimeout: stickyTimeoutMs,
    shutdownGraceTime: '5s',
    shutdownForceTime: '10s',
    maxConcurrentWorkflowTaskExecutions: 100,
    maxConcurrentLocalActivityExecutions: 200,
    // The SDK looks at all of them in each step: 2,000 cost a create 1.3 ms of processor time, 1,000 half of that. A session
    // that has left the cache costs its next step a replay of some dozen events.
    maxCachedWorkflows: 250,
    reuseV8Context: true,
  });
  let stopping = false;
  const running = worker.run().catch((thrown: unknown) => {
    // A stop that came to its bound, as with a database that is away, is not a failure of the worker.
    if (!stopping) options.onFailed(thrown);
  });
  return {
    // oxlint-disable-next-line typescript/no-deprecated -- for versioning; a worker without it still says its id
    buildId: (worker.options as CompiledWorkerOptionsWithBuildId).buildId,
    async stop() {
      stopping = true;
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
    },
  };
}
