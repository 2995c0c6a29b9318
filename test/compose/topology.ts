/** The services of docker-compose.yml as plain processes, each of ours twice, on an empty database and namespace. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inject } from 'vitest';
import { type Api, apiOf } from '../harness/api.ts';
import { freePort } from '../harness/free-port.ts';
import { createDatabase } from '../harness/postgres.ts';
import { type PerdureProcess, startProcess } from '../harness/processes.ts';
import { openSite, siteEnvironment } from '../harness/server.ts';
import { connectTo } from '../harness/temporal.ts';

export interface RecordedExecution {
  readonly sessionId: string;
  readonly runId: string;
  readonly attempt: number;
  readonly pid: number;
}

/** Of one process: what it is started with, so that it can be started again. */
export interface Member {
  readonly process: PerdureProcess;
  /** A new process in its place, on the same port. */
  restart(): Promise<void>;
}

export interface Topology {
  readonly apis: readonly [Member, Member];
  readonly workers: readonly [Member, Member];
  readonly taskWorkers: readonly [Member, Member];
  /** Of the first worker. */
  readonly healthPort: string;
  readonly secretKey: string;
  readonly databaseUrl: string;
  /** A client of the first and of the second API. */
  clients(): readonly [Api, Api];
  /** The body of a create whose run lasts until `release` is called with the same name. */
  createBody(externalId: string, until: string): Record<string, unknown>;
  release(until: string): Promise<void>;
  /** All that the tasks have recorded so far. */
  executions(): Promise<RecordedExecution[]>;
  end(): Promise<void>;
}

/** All eight start at once, as after a power cut: they meet in migrations, keys and search attributes. */
export async function openTopology(): Promise<Topology> {
  const folder = await mkdtemp(join(tmpdir(), 'perdure-topology-'));
  const adminUrl = inject('postgresAdminUrl');
  if (adminUrl === null) throw new Error('this test needs PostgreSQL 15 or later on the machine');
  const database = await createDatabase(adminUrl, 'empty');
  const site = { ...(await openSite({ databaseUrl: database.url })), namespace: await newNamespace() };
  const environment = { ...siteEnvironment(site), DATABASE_POOL_SIZE: '4' };
  const recordFile = join(folder, 'executions');
  await writeFile(recordFile, '');
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()] as const;
  const publicUrl = `http://127.0.0.1:${ports[0]}`;
  const api = (port: number) => member(['api'], { ...environment, PORT: String(port) });
  const worker = (port: number) =>
    member(['worker'], { ...environment, PUBLIC_URL: publicUrl, HEALTH_PORT: String(port) });
  const tasks = () =>
    member(['tasks', 'test/compose/programs/recording-task.ts'], {
      TRIGGER_SECRET_KEY: site.devKey,
      TRIGGER_API_URL: publicUrl,
      TEMPORAL_ADDRESS: site.temporalAddress,
      TEMPORAL_NAMESPACE: site.namespace,
      RECORD_FILE: recordFile,
      // A run that is still held goes to another worker soon.
      TASK_SHUTDOWN_GRACE_SECONDS: '1',
    });
  const apis = Promise.all([api(ports[0]), api(ports[1])]);
  const workers = Promise.all([worker(ports[2]), worker(ports[3])]);
  const taskWorkers = Promise.all([tasks(), tasks()]);
  const members = { apis: await apis, workers: await workers, taskWorkers: await taskWorkers };
  return {
    ...members,
    healthPort: String(ports[2]),
    secretKey: site.devKey,
    databaseUrl: database.url,
    clients: () => [apiOf(publicUrl, site.devKey), apiOf(`http://127.0.0.1:${ports[1]}`, site.devKey)],
    createBody: (externalId, until) => ({
      type: 'chat.agent',
      externalId,
      taskIdentifier: 'record',
      triggerConfig: { basePayload: { until: join(folder, until) } },
    }),
    release: (until) => writeFile(join(folder, until), ''),
    executions: async () =>
      (await readFile(recordFile, 'utf8')).split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)])),
    async end() {
      const all = [...members.apis, ...members.workers, ...members.taskWorkers];
      await Promise.all(all.map(({ process }) => process.kill()));
      await Promise.all([site.remove(), database.drop(), rm(folder, { recursive: true, force: true })]);
    },
  };
}

async function member(command: readonly string[], environment: Readonly<Record<string, string>>): Promise<Member> {
  const start = () => startProcess({ command, environment });
  let current = await start();
  return {
    get process() {
      return current;
    },
    async restart() {
      current = await start();
    },
  };
}

const namespaceDeadlineMs = 30_000;

/** Unlike those of the harness it has none of our search attributes. */
async function newNamespace(): Promise<string> {
  const name = `topology-${process.pid}`;
  const temporal = await connectTo(inject('temporal').address, name);
  const { workflowService } = temporal.connection;
  try {
    await workflowService.registerNamespace({
      namespace: name,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    for (const endAt = Date.now() + namespaceDeadlineMs; ; await sleep(100)) {
      const seen = await workflowService.listWorkflowExecutions({ namespace: name }).catch((thrown: unknown) => {
        if (Date.now() > endAt) throw thrown;
        return null;
      });
      if (seen !== null) return name;
    }
  } finally {
    await temporal.close();
  }
}
