/** Tasks with known behaviour, served by our own task module over a site's Temporal. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AbortRunError, defineTask, startTaskWorker, type Task, type TaskWorker } from '../../src/tasks/index.ts';
import type { Site, TestServer } from './server.ts';

export interface Execution {
  readonly task: string;
  readonly sessionId: string;
  readonly runId: string;
  readonly runNumber: number;
  readonly attempt: number;
  readonly payload: unknown;
}

export interface TestTasks {
  /** Every attempt that began executing, in order. */
  readonly executions: Execution[];
  of(sessionId: string): Execution[];
  stop(): Promise<void>;
}

export interface TestTasksOptions {
  readonly site: Site;
  readonly server: Pick<TestServer, 'url'>;
  readonly key?: string;
  readonly version?: string;
  readonly queue?: string;
  readonly machine?: 'micro' | 'small-1x';
  readonly region?: string;
}

export async function startTestTasks(options: TestTasksOptions): Promise<TestTasks> {
  const executions: Execution[] = [];
  const { site, server, key = site.devKey, ...placement } = options;
  const worker: TaskWorker = await startTaskWorker({
    tasks: testTasks((execution) => void executions.push(execution)),
    secretKey: key,
    apiUrl: server.url,
    temporal: { address: site.temporalAddress, namespace: site.namespace },
    shutdownGraceMs: 0,
    ...placement,
  });
  return {
    executions,
    of: (sessionId) => executions.filter((execution) => execution.sessionId === sessionId),
    stop: () => worker.stop(),
  };
}

/**
 * `hold` stays alive until it is stopped, `quick` returns its payload at once, `fail` throws each time,
 * `abort` throws for good, `flaky` fails its first attempt, `deaf` ignores its signal for a while.
 */
function testTasks(began: (execution: Execution) => void): Task[] {
  const task = (id: string, run: (payload: unknown, attempt: number, signal: AbortSignal) => unknown) =>
    defineTask({
      id,
      run: (payload, { session, run: { id: runId, number: runNumber }, attempt, signal }) => {
        began({ task: id, sessionId: session.id, runId, runNumber, attempt, payload });
        return run(payload, attempt, signal);
      },
    });
  return [
    task('hold', (_payload, _attempt, signal) => sleep(600_000, null, { signal })),
    task('quick', (payload) => payload),
    task('fail', (_payload, attempt) => {
      throw new RangeError(`attempt ${attempt} failed`);
    }),
    task('abort', () => {
      throw new AbortRunError('not worth another try');
    }),
    task('flaky', (_payload, attempt) => {
      if (attempt === 1) throw new Error('first attempt fails');
      return { attempt };
    }),
    task('deaf', () => sleep(2_000, 'done')),
  ] as Task[];
}
