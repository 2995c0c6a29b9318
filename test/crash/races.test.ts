/**
 * Twenty callers at once, at two API processes, about one session; afterwards every invariant holds, judged by the rows,
 * the streams and the history of its workflow.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Answer, type Api, apiOf } from '../harness/api.ts';
import { counted } from '../harness/counts.ts';
import { type PerdureProcess, startProcess } from '../harness/processes.ts';
import { siteEnvironment } from '../harness/server.ts';
import { openSessionStage, type SessionStage } from '../http/session-stage.ts';
import type { Rows } from '../storage/lifecycle.ts';
import { isExecuting, type OpenedSession } from '../workflows/stage.ts';
import { untilAtRest, untilEnded } from '../workflows/wait.ts';
import { expectHidden } from './hidden-session.ts';

let stage: SessionStage;
let other: PerdureProcess;
let apis: readonly [Api, Api];

beforeAll(async () => {
  stage = await openSessionStage();
  other = await startProcess({
    command: ['api'],
    environment: { ...siteEnvironment(stage.site), CLOSE_GRACE_SECONDS: '1' },
  });
  apis = [stage.api, apiOf(other.url, stage.site.devKey)];
});
afterAll(async () => {
  await other?.kill();
  await stage?.stop();
});

const callers = Array.from({ length: 20 }, (_, index) => index);
const spreadMs = 25;
const rounds = counted(2, 25);

/** Each caller at its own moment, every second one at the other process. */
function atOnce(call: (api: Api, caller: number) => Promise<Answer>, spread = spreadMs): Promise<Answer[]> {
  return Promise.all(
    callers.map(async (caller) => {
      await sleep(Math.random() * spread);
      return untilAnswered(() => call(apis[caller % 2] as Api, caller));
    }),
  );
}

/** As clients do: a busy machine may not get to a lock in time. */
async function untilAnswered(call: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    const answer = await call();
    if (answer.status !== 503 || tries === 4) return answer;
  }
}

const close = (api: Api, { id }: OpenedSession, reason: string) =>
  api.call(`/api/v1/sessions/${id}/close`, { method: 'POST', body: { reason } });

const append = (api: Api, { id }: OpenedSession, partId: string) =>
  api.call(`/realtime/v1/sessions/${id}/in/append`, { method: 'POST', body: partId, headers: { 'X-Part-Id': partId } });

/** Executing, so that a claim is none of the racers. */
async function openRunning(changes: Readonly<Record<string, unknown>> = {}): Promise<OpenedSession> {
  const session = await stage.open('hold', changes);
  await stage.api.runWhen(session.runId, isExecuting);
  return session;
}

const recordsOf = ({ records }: Rows, stream: string) => records.filter((record) => record['stream'] === stream);
const clientRecordsOf = (rows: Rows) => recordsOf(rows, 'in').filter((record) => record['from_client'] === true);

const eventsMax = 150;

/** What must be true after any race, on top of the invariants that `stage.rows` checks (I1, I3). Closes the session. */
async function holds(session: OpenedSession, answers: readonly (readonly [string, Answer])[]): Promise<Rows> {
  const rows = await stage.rows(session);
  for (const stream of ['in', 'out']) {
    const seqs = recordsOf(rows, stream).map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, index) => index));
  }
  // I2: what was acknowledged is there, and nothing else of a client is.
  const acknowledged = answers
    .filter(([, { status }]) => status === 200)
    .map(([partId, { body }]) => [body.seq, partId]);
  const stored = clientRecordsOf(rows).map((record) => [record['seq'], record['part_id']]);
  expect(stored).toEqual(acknowledged.toSorted(([one], [two]) => one - two));
  const named = await stage.database.query('SELECT id FROM sessions WHERE external_id = $1', [session.externalId]);
  expect(named).toEqual([{ id: session.id }]); // I6
  await untilAtRest(stage.client, session);
  const { raw } = await stage.client.workflow.getHandle(session.workflowId).describe();
  expect(Number(raw.workflowExecutionInfo?.historyLength)).toBeLessThan(eventsMax); // I7
  const [database] = await stage.database.query<{ deadlocks: number }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  expect(Number(database?.deadlocks)).toBe(0); // V9
  await expectHidden({ stage, urls: [stage.server.url, other.url], session }); // I8
  return rows;
}

/** I4: once it has ended, nothing of a client is on `in` after the end, and no run starts. */
async function hasEnded(session: OpenedSession, answers: readonly (readonly [string, Answer])[] = []): Promise<Rows> {
  const atEnd = (await stage.rows(session)).records;
  const late = await Promise.all(callers.map((caller) => append(apis[caller % 2] as Api, session, `late ${caller}`)));
  expect(new Set(late.map(({ status }) => status >= 400 && status < 500))).toEqual(new Set([true]));
  expect((await stage.api.create({ externalId: session.externalId })).status).toBe(409);
  await untilEnded(stage.client, session);
  const rows = await holds(session, answers);
  expect(rows.records).toEqual(atEnd);
  expect(recordsOf(rows, 'in').at(-1)).toMatchObject({ from_client: false });
  expect(recordsOf(rows, 'out')).toHaveLength(1);
  expect(rows.runs).toHaveLength(1);
  return rows;
}

function raceTest(name: string, tell: () => Promise<void>): void {
  test(name, { timeout: 300_000 }, async () => {
    for (let round = 0; round < rounds; round += 1) await tell();
  });
}

describe.concurrent('twenty at once', () => {
  raceTest('close and close: one reason, told to all, and one record of it', async () => {
    const session = await openRunning();
    const answers = await atOnce((api, caller) => close(api, session, `reason ${caller}`));
    expect(answers.map(({ status }) => status)).toEqual(callers.map(() => 200));
    const reasons = new Set(answers.map(({ body }) => body.closedReason));
    expect(reasons.size).toBe(1);
    const rows = await hasEnded(session);
    expect(reasons).toEqual(new Set([rows.gate['closed_reason']]));
    expect(recordsOf(rows, 'in')).toHaveLength(1);
  });

  raceTest('close and append', async () => {
    const session = await openRunning();
    const answers = await atOnce((api, caller) =>
      caller === 7 ? close(api, session, 'over') : append(api, session, `m ${caller}`),
    );
    const appends = answers.flatMap((answer, caller) => (caller === 7 ? [] : [[`m ${caller}`, answer] as const]));
    expect(answers[7]?.status).toBe(200);
    for (const [, { status }] of appends) expect([200, 409]).toContain(status);
    await hasEnded(session, appends);
  });

  raceTest('close and create', async () => {
    const session = await openRunning();
    const answers = await atOnce((api, caller) =>
      caller % 4 < 2
        ? close(api, session, 'over')
        : api.create({ externalId: session.externalId, tags: [`t${caller}`], taskIdentifier: 'hold' }),
    );
    for (const [caller, { status, body }] of answers.entries()) {
      expect(caller % 4 < 2 ? [200] : [200, 409]).toContain(status);
      if (status === 200) expect(body.id).toBe(session.id);
    }
    await hasEnded(session);
  });

  raceTest('expiry and append', async () => {
    const session = await openRunning({ expiresAt: new Date(Date.now() + 2_500).toISOString() });
    const { expires_at: expiresAt } = (await stage.rows(session)).gate;
    await sleep(Math.max(0, (expiresAt as Date).getTime() - Date.now() - 100));
    const answers = await atOnce((api, caller) => append(api, session, `m ${caller}`), 250);
    for (const { status } of answers) expect([200, 400]).toContain(status);
    await vi.waitFor(async () => expect((await stage.rows(session)).gate['expired_at']).toBeInstanceOf(Date), 20_000);
    await hasEnded(
      session,
      answers.map((answer, caller) => [`m ${caller}`, answer] as const),
    );
  });

  raceTest('hand-over and hand-over: one swaps, and says so', async () => {
    const session = await openRunning();
    const answers = await atOnce((api) =>
      api.call(`/api/v1/sessions/${session.id}/end-and-continue`, {
        method: 'POST',
        body: { callingRunId: session.runId, reason: 'manual' },
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(callers.map(() => 200));
    expect(answers.filter(({ body }) => body.swapped)).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => body.runId)).size).toBe(1);
    await stage.api.runWhen(answers[0]?.body.runId, isExecuting);
    const rows = await holds(session, []);
    expect(rows.runs).toHaveLength(2);
  });

  raceTest('cancel and append: every record meets the run after it (I5)', async () => {
    const session = await openRunning();
    const answers = await atOnce((api, caller) =>
      caller % 4 === 0 ? api.cancel(session.runId) : append(api, session, `m ${caller}`),
    );
    expect(answers.map(({ status }) => status)).toEqual(callers.map(() => 200));
    await vi.waitFor(
      async () => expect((await stage.rows(session)).gate).toMatchObject({ run_no: 2, live: true }),
      20_000,
    );
    const second = (await stage.rows(session)).runs[1] as { id: string };
    await stage.api.runWhen(second.id, isExecuting);
    const appends = answers.flatMap((answer, caller) => (caller % 4 === 0 ? [] : [[`m ${caller}`, answer] as const]));
    const rows = await holds(session, appends);
    expect(rows.runs.map(({ status }) => status)).toEqual(['CANCELED', 'QUEUED']);
    expect(stage.tasks.of(session.id).map(({ runNumber }) => runNumber)).toEqual([1, 2]);
  });

  raceTest('update and close: both are written', async () => {
    const session = await openRunning();
    const answers = await atOnce((api, caller) =>
      caller % 2 === 0
        ? close(api, session, 'over')
        : api.call(`/api/v1/sessions/${session.id}`, { method: 'PATCH', body: { tags: [`t${caller}`] } }),
    );
    expect(answers.map(({ status }) => status)).toEqual(callers.map(() => 200));
    await hasEnded(session);
    const { body } = await stage.api.session(session.id);
    expect(body).toMatchObject({ closedReason: 'over', tags: [expect.stringMatching(/^t\d+$/)] });
  });
});
