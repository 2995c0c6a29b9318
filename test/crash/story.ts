/** What the stories of the lifecycle design are told with: an API, a task worker, and session workers that die on cue. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import type { Database } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { type Answer, type Api, apiOf } from '../harness/api.ts';
import { type PerdureProcess, startProcess } from '../harness/processes.ts';
import { openSite, type Site, siteEnvironment, startTestServer, type TestServer } from '../harness/server.ts';
import { startTestTasks, type TestTasks } from '../harness/tasks.ts';
import { connectTo, type TestTemporal } from '../harness/temporal.ts';
import { brokenInvariants, type Rows, rowsOf } from '../storage/lifecycle.ts';

export interface Story {
  readonly site: Site;
  /** The API alone, in the test's process: which session worker takes a task is the story's choice. */
  readonly server: TestServer;
  readonly tasks: TestTasks;
  readonly database: Database;
  /** As an operator reaches it. */
  readonly temporal: TestTemporal;
  /** A session worker in a process of its own, with failpoints; ended with the story. */
  worker(failpoints?: string): Promise<PerdureProcess>;
  /** Another API process, with failpoints and a session worker of its own; ended with the story. */
  api(failpoints?: string): Promise<StoryApi>;
  /** The fault has struck; somebody else takes over. Returns how a paused victim is let go again. */
  takeOver(victim: PerdureProcess): Promise<() => void>;
  /** As the SDK does: a call that got no answer is repeated under its request key. */
  createUntilAnswered(changes: Record<string, unknown>): Promise<Answer>;
  /** Number of the run and of the attempt, for each attempt that began to execute. */
  executionsOf(sessionId: string): [number, number][];
  /** All rows of a session, after its invariants were checked. */
  rows(sessionId: string): Promise<Rows>;
  /** Resolves when nothing about the session has changed for a while: what was to come has come. */
  settled(sessionId: string): Promise<Rows>;
  end(): Promise<void>;
}

export interface StoryApi extends Api {
  readonly process: PerdureProcess;
  /** Resolves when a call is held at the point; returns what lets it go on. */
  held(point: string): Promise<() => void>;
}

/** Killed and redone takes the workflow task's timeout; a busy machine starts processes slowly. */
const storyTimeoutMs = 120_000;

/** One story per test, so that stories can be told at once. */
export function storyTest(name: string, tell: (story: Story) => Promise<void>): void {
  test(name, { timeout: storyTimeoutMs }, async () => {
    const story = await openStory();
    try {
      await tell(story);
    } finally {
      await story.end();
    }
  });
}

/** @param temporalAddress of a private server, for stories that lose its store */
export async function openStory(temporalAddress?: string): Promise<Story> {
  const site = await openSite(temporalAddress === undefined ? {} : { temporalAddress });
  const server = await startTestServer({ site, sessionWorker: false });
  const tasks = await startTestTasks({ site, server });
  const database = openPostgres({ url: site.databaseUrl, poolSize: 2, onProblem: () => undefined });
  const temporal = await connectTo(site.temporalAddress, site.namespace);
  const workers: PerdureProcess[] = [];
  const api = async (failpoints = ''): Promise<StoryApi> => {
    const environment = { ...siteEnvironment(site), FAILPOINTS: failpoints };
    const process = await startProcess({ command: ['api'], environment });
    workers.push(process);
    return {
      ...apiOf(process.url, site.devKey),
      process,
      async held(point) {
        await process.line(new RegExp(`failpoint ${point}: hold`));
        return () => process.signal('SIGCONT');
      },
    };
  };
  const worker = async (failpoints?: string) => {
    const environment = { ...siteEnvironment(site), PUBLIC_URL: server.url };
    const started = await startProcess({
      command: ['worker'],
      environment: failpoints === undefined ? environment : { ...environment, FAILPOINTS: failpoints },
    });
    workers.push(started);
    return started;
  };
  const rows = (sessionId: string) => checkedRows(database, sessionId);
  return {
    site,
    server,
    tasks,
    database,
    temporal,
    worker,
    api,
    rows,
    async takeOver(victim) {
      await victim.line(/failpoint .*: SIG(KILL|STOP)/);
      await worker();
      return () => victim.signal('SIGCONT');
    },
    createUntilAnswered: (changes) => createUntilAnswered(server, changes),
    executionsOf: (sessionId) => tasks.of(sessionId).map(({ runNumber, attempt }) => [runNumber, attempt]),
    settled: (sessionId) => untilQuiet(() => rows(sessionId)),
    async end() {
      await tasks.stop();
      await Promise.all(workers.map((each) => each.kill()));
      await server.stop();
      await database.close();
      await temporal.close();
      await site.remove();
    },
  };
}

async function checkedRows(database: Database, sessionId: string): Promise<Rows> {
  const found = await rowsOf(database, sessionId);
  const broken = brokenInvariants(found);
  if (broken.length > 0) throw new Error(`${broken.join('; ')}: ${JSON.stringify(found)}`);
  return found;
}

const createTriesMax = 4;

async function createUntilAnswered(server: TestServer, changes: Record<string, unknown>): Promise<Answer> {
  const headers = { 'x-trigger-request-idempotency-key': randomUUID() };
  for (let tries = 1; ; tries += 1) {
    const answer = await server.api.create(changes, { headers });
    if (answer.status !== 503 || tries === createTriesMax) return answer;
  }
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
