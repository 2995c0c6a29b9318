/** What the stories of the lifecycle design are told with: an API, a task worker, and session workers that die on cue. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openPostgres } from '../../src/storage/postgres.ts';
import type { Database } from '../../src/storage/database.ts';
import { type PerdureProcess, startProcess } from '../harness/processes.ts';
import { type Site, type TestServer, openSite, siteEnvironment, startTestServer } from '../harness/server.ts';
import { type TestTasks, startTestTasks } from '../harness/tasks.ts';
import { type Rows, brokenInvariants, rowsOf } from '../storage/lifecycle.ts';

export interface Story {
  readonly site: Site;
  readonly server: TestServer;
  readonly tasks: TestTasks;
  readonly database: Database;
  /** A session worker in a process of its own, with failpoints; ended with the story. */
  worker(failpoints?: string): Promise<PerdureProcess>;
  /** All rows of a session, after its invariants were checked. */
  rows(sessionId: string): Promise<Rows>;
  /** Resolves when nothing about the session has changed for a while: what was to come has come. */
  settled(sessionId: string): Promise<Rows>;
  end(): Promise<void>;
}

/** @param temporalAddress of a private server for stories that lose its store */
export async function openStory(temporalAddress?: string): Promise<Story> {
  const site = await openSite(temporalAddress === undefined ? {} : { temporalAddress });
  // The API alone: which session worker takes a task is the story's choice.
  const server = await startTestServer({ site, sessionWorker: false });
  const tasks = await startTestTasks({ site, server });
  const database = openPostgres({ url: site.databaseUrl, poolSize: 2, onProblem: () => undefined });
  const workers: PerdureProcess[] = [];
  const rows = async (sessionId: string) => {
    const found = await rowsOf(database, sessionId);
    const broken = brokenInvariants(found);
    if (broken.length > 0) throw new Error(`${broken.join('; ')}: ${JSON.stringify(found)}`);
    return found;
  };
  return {
    site,
    server,
    tasks,
    database,
    rows,
    async worker(failpoints) {
      const environment = { ...siteEnvironment(site), PUBLIC_URL: server.url };
      const worker = await startProcess({
        command: ['worker'],
        environment: failpoints === undefined ? environment : { ...environment, FAILPOINTS: failpoints },
      });
      workers.push(worker);
      return worker;
    },
    settled: (sessionId) => untilQuiet(() => rows(sessionId)),
    async end() {
      await tasks.stop();
      await Promise.all(workers.map((worker) => worker.kill()));
      await server.stop();
      await database.close();
      await site.remove();
    },
  };
}

const quietMs = 1_500;
const quietDeadlineMs = 30_000;

async function untilQuiet(read: () => Promise<Rows>): Promise<Rows> {
  const deadline = Date.now() + quietDeadlineMs;
  let last = await read();
  for (let since = Date.now(); Date.now() - since < quietMs; await sleep(50)) {
    const now = await read();
    if (JSON.stringify(now) !== JSON.stringify(last)) since = Date.now();
    last = now;
    if (Date.now() > deadline) throw new Error(`rows do not come to rest: ${JSON.stringify(now)}`);
  }
  return last;
}
