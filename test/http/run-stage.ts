/** A server with tasks that a test steers: what is needed to bring a run into each of its states. */
import type { EnvironmentId } from '../../src/domain/ids.ts';
import { startTaskWorker, type Task, type TaskWorker } from '../../src/tasks/index.ts';
import { importRootKey, signPublicToken } from '../../src/tokens/sign.ts';
import type { Answer, Api } from '../harness/api.ts';
import { openSite, type Site, startTestServer } from '../harness/server.ts';
import { startTestTasks } from '../harness/tasks.ts';
import { connectTo } from '../harness/temporal.ts';
import { startWatchedTasks, type WatchedTasks } from './watched-tasks.ts';

export interface RunStage {
  readonly site: Site;
  readonly api: Api;
  readonly watched: WatchedTasks;
  /** A new session without external id, and its first run. */
  trigger(taskIdentifier: string, triggerConfig?: Readonly<Record<string, unknown>>): Promise<Triggered>;
  /** Until it is stopped. */
  serve(task: Task): Promise<TaskWorker>;
  /** A public token of the dev environment. */
  tokenOf(...scopes: string[]): Promise<string>;
  stop(): Promise<void>;
}

export interface Triggered {
  readonly sessionId: string;
  readonly runId: string;
}

export async function openRunStage(): Promise<RunStage> {
  const site = await openSite();
  const server = await startTestServer({ site });
  const temporal = await connectTo(site.temporalAddress, site.namespace);
  const tasks = await startTestTasks({ site, server });
  const watched = await startWatchedTasks({ site, server, temporal });
  const claims = await server.api.call('/api/v1/auth/jwt/claims', { method: 'POST' });
  const environment = { id: claims.body.sub as EnvironmentId, name: 'dev' as const };
  const rootKey = await importRootKey(site.devKey);
  return {
    site,
    api: server.api,
    watched,
    serve: (task) =>
      startTaskWorker({
        tasks: [task],
        secretKey: site.devKey,
        apiUrl: server.url,
        temporal: { address: site.temporalAddress, namespace: site.namespace },
        shutdownGraceMs: 0,
      }),
    tokenOf: (...scopes) => signPublicToken({ environment, rootKey, scopes, ttlSeconds: 60 }),
    async trigger(taskIdentifier, triggerConfig = {}) {
      const { status, body } = await server.api.create({
        taskIdentifier,
        triggerConfig: { basePayload: {}, ...triggerConfig },
      });
      if (status !== 201) throw new Error(`create answered ${status}: ${JSON.stringify(body)}`);
      return { sessionId: body.id, runId: body.runId };
    },
    async stop() {
      await Promise.all([tasks.stop(), watched.stop()]);
      await temporal.close();
      await server.stop();
      await site.remove();
    },
  };
}

export const isCompleted = (run: Answer['body']): boolean => run.isCompleted;
/** A worker has claimed it. */
export const hasStarted = (run: Answer['body']): boolean => run.startedAt !== undefined;
/** Nobody has it. */
export const unknownRunId = `run_${'0'.repeat(25)}`;
