/** Two APIs, two session workers and two task workers, on one PostgreSQL and one Temporal: what one process cannot show. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { composeText, readCompose } from './compose-file.ts';
import { leftInTheLurch, startCreateLoad } from './create-load.ts';
import { healthCommand, readDockerfile } from './dockerfile-rules.ts';
import { openTopology, type Topology } from './topology.ts';

let topology: Topology;

beforeAll(async () => {
  topology = await openTopology();
});

afterAll(async () => {
  await topology?.end();
});

const ofSession = async (sessionId: string) =>
  (await topology.executions()).filter((execution) => execution.sessionId === sessionId);

/** Run numbers and ids of the sessions, straight from the rows. */
async function runsOf(sessionIds: readonly string[]): Promise<{ session_id: string; id: string; no: number }[]> {
  const client = new pg.Client(topology.databaseUrl);
  await client.connect();
  try {
    const text = 'SELECT session_id, id, no FROM runs WHERE session_id = ANY($1) ORDER BY session_id, no';
    return (await client.query(text, [sessionIds])).rows;
  } finally {
    await client.end();
  }
}

async function createFifty(body: Record<string, unknown>) {
  const clients = topology.clients();
  const creating = Array.from({ length: 25 }, () => clients.map((client) => client.create(body)));
  const answers = await Promise.all(creating.flat());
  return {
    statuses: answers.map((answer) => answer.status).sort((left, right) => left - right),
    ids: [...new Set(answers.map((answer) => answer.body.id as string))],
    runIds: [...new Set(answers.map((answer) => answer.body.runId as string))],
  };
}

test('50 creates of one external id over two APIs make one session, one run, one execution', async () => {
  const body = topology.createBody('one and only', 'end of the first run');
  const first = await createFifty(body);
  expect(first.statuses).toEqual([...Array<number>(49).fill(200), 201]);
  expect([first.ids.length, first.runIds.length]).toEqual([1, 1]);
  const [id = ''] = first.ids;
  const [runId = ''] = first.runIds;
  await expect.poll(() => ofSession(id)).toMatchObject([{ runId, attempt: 1 }]);

  await topology.release('end of the first run');
  const [api] = topology.clients();
  await api.runWhen(runId, (run) => run.status === 'COMPLETED');
  const second = await createFifty(topology.createBody('one and only', 'end of the second run'));
  expect(second.statuses).toEqual(Array<number>(50).fill(200));
  expect(second).toMatchObject({ ids: [id] });
  expect(second.runIds).toHaveLength(1);
  const [nextRunId = ''] = second.runIds;
  await expect.poll(() => ofSession(id)).toMatchObject([{ runId }, { runId: nextRunId, attempt: 1 }]);
  expect(await runsOf([id])).toMatchObject([
    { id: runId, no: 1 },
    { id: nextRunId, no: 2 },
  ]);
});

test('a rolling restart under load loses no create and executes each run once', async () => {
  const urls = topology.apis.map(({ process }) => process.url);
  await topology.release('at once');
  const load = startCreateLoad({
    urls,
    secretKey: topology.secretKey,
    body: (externalId) => topology.createBody(externalId, 'at once'),
    inFlight: 4,
  });
  const hasCreated = (count: number) =>
    expect.poll(() => load.created.length, { timeout: 30_000 }).toBeGreaterThan(count);
  await hasCreated(20);
  const [api] = topology.apis;
  const [worker] = topology.workers;
  const ended = api.process;
  const exits = await Promise.all([ended.stop(), worker.process.stop()]);
  expect(exits).toEqual([
    { code: 0, signal: null },
    { code: 0, signal: null },
  ]);
  await expect.poll(() => load.refused.get(urls[0] ?? '') ?? 0).toBeGreaterThan(0);
  await Promise.all([api.restart(), worker.restart()]);
  await hasCreated(load.created.length + 20);
  await load.stop();
  expect([...load.failures, ...leftInTheLurch(load, ended.lines)]).toEqual([]);
  expect([...load.refused.keys()]).toEqual([urls[0]]);

  const accepted = load.created.map(({ id, runId }) => `${id} ${runId}`).sort();
  const rows = await runsOf(load.created.map(({ id }) => id));
  expect(rows.map((row) => `${row.session_id} ${row.id}`).sort()).toEqual(accepted);
  const isAccepted = new Set(accepted);
  const executed = async () =>
    (await topology.executions())
      .map(({ sessionId, runId }) => `${sessionId} ${runId}`)
      .filter((execution) => isAccepted.has(execution))
      .sort();
  await expect.poll(executed, { timeout: 30_000 }).toEqual(accepted);
});

test('the health checks of the image and of the compose file see who serves', async () => {
  const url = new URL(topology.apis[1].process.url);
  const image = healthCommand(
    readDockerfile(readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8')).at(-1),
  );
  expect(await exitOf(image, { PORT: url.port })).toBe(0);
  const environment = { POSTGRES_PASSWORD: 'x', ENCRYPTION_KEY: 'x', SECRET_KEYS: 'x' };
  const [, ...check] = readCompose(composeText(), environment).services['worker']?.healthcheck?.test ?? [];
  const of = (port: string) => check.map((part) => part.replace('3041', port));
  expect(await exitOf(of(topology.healthPort), {})).toBe(0);
  // Nobody ever listens on the port for tests of absence.
  expect([await exitOf(image, { PORT: '9' }), await exitOf(of('9'), {})]).toEqual([1, 1]);
});

test('every process ends in order and in time when it is told to', async () => {
  const { apis, workers, taskWorkers } = topology;
  const all = [...apis, ...workers, ...taskWorkers];
  const startedAt = performance.now();
  const exits = await Promise.all(all.map(({ process }) => process.stop()));
  expect(exits).toEqual(all.map(() => ({ code: 0, signal: null })));
  expect(performance.now() - startedAt).toBeLessThan(20_000);
});

function exitOf([file = '', ...programArguments]: readonly string[], environment: Readonly<Record<string, string>>) {
  return new Promise<number>((resolve) => {
    const child = execFile(file, programArguments, { env: { PATH: process.env['PATH'], ...environment } });
    child.once('exit', (code) => resolve(code ?? -1));
  });
}
