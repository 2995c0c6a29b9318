/** Nobody there to do the work, an API process that dies in the middle of a call, and replies that are lost. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { answerDeadlineMs } from '../../src/domain/limits.ts';
import { type Answer, apiOf } from '../harness/api.ts';
import { freePort } from '../harness/free-port.ts';
import { type PerdureProcess, startProcess } from '../harness/processes.ts';
import { openSite, type Site, siteEnvironment, startTestServer } from '../harness/server.ts';
import { startTestTasks } from '../harness/tasks.ts';
import { storyTest } from './story.ts';

const inTime = { timeout: 30_000, interval: 50 };
const keyed = (key = randomUUID()) => ({ headers: { 'x-trigger-request-idempotency-key': key } });

describe.concurrent('a create', () => {
  storyTest(
    'without any session worker is a 503 in time; its repetition finds the same session, with one run',
    async (story) => {
      const { api } = story.server;
      const key = keyed();
      const changes = [{ externalId: 'no worker' }, {}];
      const startedAt = Date.now();
      const early = await Promise.all(changes.map((change) => api.create(change, key)));
      expect(Date.now() - startedAt).toBeLessThan(answerDeadlineMs + 5_000);
      for (const { status, headers, body } of early) {
        expect([status, body]).toEqual([503, { error: expect.stringContaining('session worker') }]);
        expect(headers.get('retry-after')).toMatch(/^\d+$/);
      }
      await story.worker();
      const late = await Promise.all(changes.map((change) => api.create(change, key)));
      const again = await Promise.all(changes.map((change) => api.create(change, key)));
      for (const [index, { status, body }] of late.entries()) {
        expect(status).toBe(201);
        expect(again[index]?.body).toMatchObject({ id: body.id, runId: body.runId, isCached: false });
        await vi.waitFor(() => expect(story.executionsOf(body.id)).toEqual([[1, 1]]), inTime);
        expect((await story.settled(body.id)).runs).toHaveLength(1);
      }
    },
  );

  const killed = (['persistSession:before', 'persistSession:after'] as const).flatMap((point) =>
    (['an', 'no'] as const).map((article) => ({ point, article })),
  );
  for (const { point, article } of killed) {
    const name = `with ${article} external id, whose API process is killed at ${point}, is answered 201 by another one`;
    test(name, { timeout: 120_000 }, async () => {
      await withTwoApis(point, async ({ dying, living, executed }) => {
        const changes = article === 'an' ? { externalId: `killed ${point}` } : {};
        const key = keyed();
        await expect(dying.create(changes, key)).rejects.toThrow(/fetch failed/);
        const answer = await untilAnswered(() => living.create(changes, key));
        expect(answer).toMatchObject({ status: 201, body: { isCached: false } });
        await vi.waitFor(() => expect(executed(answer.body.id)).toBe(1), inTime);
        const { id, runId } = answer.body;
        expect(await living.create(changes, key)).toMatchObject({ status: 201, body: { id, runId } });
      });
    });
  }

  test('sent fifty times at once to two API processes makes one session and one run', {
    timeout: 120_000,
  }, async () => {
    await withTwoApis(null, async ({ dying, living, executed }) => {
      for (const task of ['hold', 'quick']) {
        const changes = { externalId: `raced ${task}`, taskIdentifier: task };
        const answers = await fifty([dying, living], changes);
        expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(49);
        expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
        await vi.waitFor(() => expect(executed(answers[0]?.body.id)).toBeGreaterThanOrEqual(1), inTime);
        if (task === 'hold') expect(new Set(answers.map(({ body }) => body.runId)).size).toBe(1);
      }
    });
  });

  test('sent fifty times at once on a dead run makes one continuation', { timeout: 120_000 }, async () => {
    await withTwoApis(null, async ({ dying, living, executed }) => {
      const first = await living.create({ externalId: 'dead run' });
      await vi.waitFor(() => expect(executed(first.body.id)).toBe(1), inTime);
      await living.cancel(first.body.runId);
      await living.runWhen(first.body.runId, (run) => run.isCompleted);
      const answers = await fifty([dying, living], { externalId: 'dead run' });
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
      const runIds = new Set(answers.map(({ body }) => body.runId));
      expect(runIds.size).toBe(1);
      expect(runIds).not.toContain(first.body.runId);
      await vi.waitFor(() => expect(executed(first.body.id)).toBe(2), inTime);
    });
  });
});

type Api = ReturnType<typeof apiOf>;

interface TwoApis {
  /** Has the failpoint, if there is one. */
  readonly dying: Api;
  readonly living: Api;
  executed(sessionId: string): number;
}

/** Two processes of the command `perdure api`, each with its own session worker, on one database and one Temporal. */
async function withTwoApis(failpoint: string | null, tell: (apis: TwoApis) => Promise<void>): Promise<void> {
  const site = await openSite();
  const server = await startTestServer({ site, sessionWorker: false });
  const tasks = await startTestTasks({ site, server });
  const processes: PerdureProcess[] = [];
  try {
    const dying = await startApi(site, failpoint === null ? {} : { FAILPOINTS: `${failpoint}=kill` });
    processes.push(dying);
    // With a failpoint the other one comes when the first is gone: its worker would take the task.
    const living = failpoint === null ? await startApi(site) : null;
    if (living !== null) processes.push(living);
    const late = lateApi(site, processes);
    await tell({
      dying: apiOf(dying.url, site.devKey),
      living: living === null ? late : apiOf(living.url, site.devKey),
      executed: (sessionId) => tasks.of(sessionId).length,
    });
  } finally {
    await tasks.stop();
    await Promise.all(processes.map((each) => each.kill()));
    await server.stop();
    await site.remove();
  }
}

async function startApi(site: Site, environment: Record<string, string> = {}): Promise<PerdureProcess> {
  const port = await freePort();
  return startProcess({
    command: ['api'],
    environment: { ...siteEnvironment(site), PORT: String(port), ...environment },
  });
}

/** An API that is started by the first create that is sent to it. */
function lateApi(site: Site, processes: PerdureProcess[]): Api {
  let starting: Promise<Api> | null = null;
  const api = async () => {
    starting ??= startApi(site).then((started) => {
      processes.push(started);
      return apiOf(started.url, site.devKey);
    });
    return starting;
  };
  return {
    ...apiOf('http://127.0.0.1:1', site.devKey),
    create: async (changes, call) => (await api()).create(changes, call),
  };
}

function fifty(apis: readonly Api[], changes: Record<string, unknown>): Promise<Answer[]> {
  return Promise.all(Array.from({ length: 50 }, (_, index) => (apis[index % apis.length] as Api).create(changes)));
}

async function untilAnswered(call: () => Promise<Answer>): Promise<Answer> {
  let answer = await call();
  for (let tries = 1; tries < 4 && answer.status === 503; tries += 1) answer = await call();
  return answer;
}
