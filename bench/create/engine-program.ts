/**
 * A process with a client and a worker over one NativeConnection, as our server has, and nothing else in it. It
 * measures what it is told to over IPC, inside itself: no HTTP, no database.
 *
 * Arguments: Temporal's address, the namespace.
 */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { workflowTaskTimeoutMs } from '../../src/domain/limits.ts';
import { connectTemporal } from '../../src/temporal/connect.ts';
import { closedLoop, type Load, type Slot } from '../closed-loop.ts';

export type EngineContender = 'floor' | 'update-with-start';
export type EngineOrder = Load & { readonly contender: EngineContender };
export interface MeasuredEngine {
  readonly kind: 'measured';
  readonly slot: Slot;
  /** Of its last call. */
  readonly workflowId: string;
}
export type EngineAnswer = { readonly kind: 'ready' } | MeasuredEngine;
export interface EngineActivities {
  touch(key: string): Promise<void>;
}

const taskQueue = 'bench/engine';
const [address = '', namespace = ''] = process.argv.slice(2);

/** Called with the moment at which the local activity of that workflow was called. */
const waiting = new Map<string, (atMs: number) => void>();
const activities: EngineActivities = {
  async touch(key) {
    waiting.get(key)?.(performance.now());
    waiting.delete(key);
  },
};

const target = { address, namespace, apiKey: null, tls: false, tlsCertFile: null, tlsKeyFile: null };
const { connection, client } = await connectTemporal(target, { log: () => undefined });
const worker = await Worker.create({
  connection,
  namespace,
  taskQueue,
  activities,
  workflowsPath: fileURLToPath(new URL('./engine-workflows.ts', import.meta.url)),
  // As our session worker is set up.
  enableNonLocalActivities: false,
  maxConcurrentWorkflowTaskExecutions: 100,
  maxConcurrentLocalActivityExecutions: 200,
  maxCachedWorkflows: 2_000,
  reuseV8Context: true,
});

const startOptions = (workflowId: string) =>
  ({ workflowId, taskQueue, args: [workflowId] as [string], workflowTaskTimeout: workflowTaskTimeoutMs }) as const;

/** From the call until the local activity is called. */
async function floor(key: string): Promise<number> {
  const called = new Promise<number>((resolve) => waiting.set(key, resolve));
  const startedAtMs = performance.now();
  const [calledAtMs] = await Promise.all([
    called,
    client.workflow.start('floor', { ...startOptions(key), requestEagerStart: true }),
  ]);
  return calledAtMs - startedAtMs;
}

/** From the call until its answer. */
async function updateWithStart(key: string): Promise<number> {
  const startedAtMs = performance.now();
  await client.workflow.executeUpdateWithStart('touch', {
    startWorkflowOperation: new WithStartWorkflowOperation('updated', {
      ...startOptions(key),
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  });
  return performance.now() - startedAtMs;
}

const contenders: Readonly<Record<EngineContender, (key: string) => Promise<number>>> = {
  floor,
  'update-with-start': updateWithStart,
};

const say = (answer: EngineAnswer) => void process.send?.(answer);

async function measure({ contender, ...load }: EngineOrder): Promise<void> {
  let workflowId = '';
  const slot = await closedLoop(load, () => {
    workflowId = `${contender}/${randomUUID()}`;
    return contenders[contender](workflowId);
  });
  say({ kind: 'measured', slot, workflowId });
}

process.on('message', (order: EngineOrder) => void measure(order));
// Nothing that was started for a bench outlives it.
process.on('disconnect', () => process.exit(0));
const running = worker.run();
say({ kind: 'ready' });
await running;
