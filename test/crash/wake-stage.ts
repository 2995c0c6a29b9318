/** Many sessions, two API processes of which one may die, and runs that end when the test says so. */
import { expect, vi } from 'vitest';
import { concurrentRunsMax } from '../../src/domain/limits.ts';
import type { Database } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { defineTask, startTaskWorker } from '../../src/tasks/index.ts';
import { type Answer, type Api, apiOf } from '../harness/api.ts';
import { type PerdureProcess, startProcess } from '../harness/processes.ts';
import { openSite, siteEnvironment, startTestServer } from '../harness/server.ts';
import { brokenInvariants, rowsOf } from '../storage/lifecycle.ts';

export interface WakeSession {
  readonly id: string;
  readonly runId: string;
}

export interface WakeStage {
  readonly database: Database;
  /** In the test's process; it also has a session worker, and the claims of runs go to it. */
  readonly living: Api;
  /** An API process of its own. */
  startApi(failpoints?: string): Promise<{ readonly api: Api; readonly process: PerdureProcess }>;
  /** New sessions whose first run has ended (`quick`) or executes until it is released (`held`). */
  open(count: number, task: 'quick' | 'held'): Promise<WakeSession[]>;
  /** From now on runs of the session end at once. */
  release(session: WakeSession): void;
  append(api: Api, session: WakeSession, partId: string): Promise<Answer>;
  /**
   * Nothing is live any more, and the last run of each session began when its last record was there: every record has
   * met a run. Then checks the rows of each, and that no two runs of it ever executed at once (I1).
   */
  everyRecordMet(sessions: readonly WakeSession[], timeoutMs: number): Promise<void>;
  /** Records of clients that are stored. */
  recordCount(): Promise<number>;
  stop(): Promise<void>;
}

/** So many creates in flight. */
const createsAtOnce = 16;

export async function openWakeStage(environment: Readonly<Record<string, string>> = {}): Promise<WakeStage> {
  const site = await openSite();
  const server = await startTestServer({ site, environment });
  const database = openPostgres({ url: site.databaseUrl, poolSize: 4, onProblem: () => undefined });
  const runs = new HeldRuns();
  const tasks = await startTaskWorker({
    tasks: [
      defineTask({ id: 'quick', run: (_payload, { session }) => runs.execute(session.id, false) }),
      defineTask({ id: 'held', run: (_payload, { session }) => runs.execute(session.id, true) }),
    ],
    secretKey: site.devKey,
    apiUrl: server.url,
    temporal: { address: site.temporalAddress, namespace: site.namespace },
    shutdownGraceMs: 0,
    // All runs of a story may be held at once.
    maxConcurrentRuns: concurrentRunsMax,
  });
  const processes: PerdureProcess[] = [];
  return {
    database,
    living: server.api,
    async startApi(failpoints) {
      const process = await startProcess({
        command: ['api'],
        environment: { ...siteEnvironment(site), ...(failpoints === undefined ? {} : { FAILPOINTS: failpoints }) },
      });
      processes.push(process);
      return { process, api: apiOf(process.url, site.devKey) };
    },
    open: (count, task) => openSessions({ api: server.api, database }, count, task),
    release: ({ id }) => runs.release(id),
    append: (api, { id }, partId) =>
      api.call(`/realtime/v1/sessions/${id}/in/append`, {
        method: 'POST',
        body: `message ${partId}`,
        headers: { 'X-Part-Id': partId },
      }),
    async everyRecordMet(sessions, timeoutMs) {
      await untilMet(database, timeoutMs);
      for (const { id } of sessions) {
        const rows = await rowsOf(database, id);
        expect({ id, broken: brokenInvariants(rows) }).toEqual({ id, broken: [] });
        expect(rows.runs.filter((run) => run['status'] !== 'COMPLETED')).toEqual([]);
      }
      expect(runs.atOnceMax).toBe(1);
    },
    recordCount: () => countOf(database, 'SELECT count(*) AS count FROM records WHERE from_client'),
    async stop() {
      await Promise.all(processes.map((process) => process.kill()));
      await tasks.stop();
      await server.stop();
      await database.close();
      await site.remove();
    },
  };
}

async function countOf(database: Database, sql: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(sql);
  return Number(row?.count);
}

/** A run that has claimed is told of everything before `began`; what came later it left to a successor. */
const unmetSql = `SELECT count(*) AS count FROM gates WHERE live OR began IS DISTINCT FROM next`;

const untilMet = (database: Database, timeout: number): Promise<void> =>
  vi.waitFor(async () => expect(await countOf(database, unmetSql)).toBe(0), { timeout, interval: 100 });

async function openSessions(
  { api, database }: { api: Api; database: Database },
  count: number,
  task: 'quick' | 'held',
): Promise<WakeSession[]> {
  const opened: WakeSession[] = [];
  for (let begun = 0; begun < count; begun += createsAtOnce) {
    const creates = Array.from({ length: Math.min(createsAtOnce, count - begun) }, () =>
      api.create({ taskIdentifier: task }),
    );
    for (const { status, body } of await Promise.all(creates)) {
      expect(status).toBe(201);
      opened.push({ id: body.id, runId: body.runId });
    }
  }
  const isThere = task === 'quick' ? 'finished_at IS NOT NULL' : 'started_at IS NOT NULL';
  const there = `SELECT count(*) AS count FROM runs WHERE task_identifier = '${task}' AND ${isThere}`;
  await vi.waitFor(async () => expect(await countOf(database, there)).toBeGreaterThanOrEqual(count), 120_000);
  return opened;
}

/** Executions as they begin and end, each session's runs apart. */
class HeldRuns {
  readonly #released = new Set<string>();
  readonly #held = new Map<string, () => void>();
  readonly #executing = new Map<string, number>();
  atOnceMax = 0;

  async execute(sessionId: string, isHeld: boolean): Promise<void> {
    const atOnce = (this.#executing.get(sessionId) ?? 0) + 1;
    this.#executing.set(sessionId, atOnce);
    this.atOnceMax = Math.max(this.atOnceMax, atOnce);
    if (isHeld && !this.#released.has(sessionId)) {
      await new Promise<void>((resolve) => this.#held.set(sessionId, resolve));
    }
    this.#executing.set(sessionId, (this.#executing.get(sessionId) ?? 1) - 1);
  }

  release(sessionId: string): void {
    this.#released.add(sessionId);
    this.#held.get(sessionId)?.();
  }
}
