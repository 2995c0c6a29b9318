/** GET /api/v3/runs/{run}, on the real engines: what a caller is shown in every state of a run, and who is shown it. */
import { RetrieveRunResponse } from '@trigger.dev/core/v3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasStarted, isCompleted, openRunStage, type RunStage, type Triggered, unknownRunId } from './run-stage.ts';

let stage: RunStage;
beforeAll(async () => {
  stage = await openRunStage();
});
afterAll(() => stage?.stop());

/** The predicates of a status; every other one is false. */
const only = (...names: string[]) =>
  Object.fromEntries(
    ['Queued', 'Executing', 'Waiting', 'Completed', 'Success', 'Failed', 'Cancelled'].map((name) => [
      `is${name}`,
      names.includes(name),
    ]),
  );

const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

/** What every run has on the wire, whatever its state. */
const common = ({ runId, sessionId }: Triggered, taskIdentifier: string) => ({
  id: runId,
  taskIdentifier,
  isTest: false,
  createdAt: iso,
  updatedAt: iso,
  tags: [],
  costInCents: 0,
  baseCostInCents: 0,
  depth: 0,
  triggerFunction: 'trigger',
  relatedRuns: {},
  payload: { sessionId },
});

describe.concurrent('a run', () => {
  test('that no worker has taken is queued', async () => {
    const triggered = await stage.trigger('nobody-serves-this');
    const { status, body } = await stage.api.run(triggered.runId);
    expect(status).toBe(200);
    expect(body).toEqual({
      ...common(triggered, 'nobody-serves-this'),
      ...only('Queued'),
      status: 'QUEUED',
      durationMs: 0,
      attemptCount: 0,
    });
    RetrieveRunResponse.parse(body);
  });

  test('that a worker has is executing', async () => {
    const triggered = await stage.trigger('hold');
    const run = await stage.api.runWhen(triggered.runId, hasStarted);
    expect(run).toEqual({
      ...common(triggered, 'hold'),
      ...only('Executing'),
      status: 'EXECUTING',
      startedAt: iso,
      durationMs: expect.any(Number),
      attemptCount: 1,
    });
    RetrieveRunResponse.parse(run);
    const later = await stage.api.runWhen(triggered.runId, ({ durationMs }) => durationMs > run.durationMs);
    expect(later).toMatchObject({ startedAt: run.startedAt, updatedAt: run.updatedAt });
  });

  test('between two attempts is queued again, with the attempts that it has had', async () => {
    const triggered = await stage.trigger('postponed');
    const run = await stage.api.runWhen(
      triggered.runId,
      ({ isQueued, attemptCount }) => isQueued && attemptCount === 1,
    );
    expect(run).toEqual({
      ...common(triggered, 'postponed'),
      ...only('Queued'),
      status: 'QUEUED',
      startedAt: iso,
      durationMs: expect.any(Number),
      attemptCount: 1,
    });
    RetrieveRunResponse.parse(run);
    expect(await stage.api.cancel(triggered.runId)).toMatchObject({ status: 200, body: { id: triggered.runId } });
    const ended = await stage.api.runWhen(triggered.runId, isCompleted);
    expect(ended).toMatchObject({ status: 'CANCELED', attemptCount: 1 });
  });

  test.for([
    ['nothing', undefined, null],
    ['null', null, null],
    ['false', false, false],
    ['zero', 0, 0],
    ['an empty text', '', ''],
    ['an empty list', [], []],
    [
      'nested values',
      { a: [{ b: { c: [1, 2.5, -0.1e-7, null, true] } }] },
      { a: [{ b: { c: [1, 2.5, -0.1e-7, null, true] } }] },
    ],
    ['all of Unicode', ['ünï', '🙂', '\u0000', '\ud83d', '\u2028'], ['ünï', '🙂', '\u0000', '\ud83d', '\u2028']],
    ['keys of no good', { constructor: 1, toString: 2 }, { constructor: 1, toString: 2 }],
  ])('that returned %s is completed, with that output', async ([, value, output]) => {
    const triggered = await stage.trigger('returning', { basePayload: value === undefined ? {} : { value } });
    const run = await stage.api.runWhen(triggered.runId, isCompleted);
    const { payload, ...rest } = run;
    expect(rest).toEqual({
      ...common(triggered, 'returning'),
      ...only('Completed', 'Success'),
      payload: undefined,
      status: 'COMPLETED',
      startedAt: iso,
      finishedAt: iso,
      durationMs: Date.parse(run.finishedAt) - Date.parse(run.startedAt),
      attemptCount: 1,
      output,
    });
    expect(payload).toEqual({ ...(value === undefined ? {} : { value }), sessionId: triggered.sessionId });
    expect(RetrieveRunResponse.parse(run).output).toEqual(output);
  });

  test('that failed is told with the name, message and stack of its error', async () => {
    const triggered = await stage.trigger('throwing', { maxAttempts: 2 });
    const run = await stage.api.runWhen(triggered.runId, isCompleted);
    expect(run).toEqual({
      ...common(triggered, 'throwing'),
      ...only('Completed', 'Failed'),
      status: 'FAILED',
      startedAt: iso,
      finishedAt: iso,
      durationMs: expect.any(Number),
      attemptCount: 2,
      error: {
        name: 'TypeError',
        message: 'zu spät 🙂\nsecond line\0 \ufffd',
        stackTrace: expect.stringMatching(/^TypeError: zu spät(.|\n)*watched-tasks\.ts/),
      },
    });
    RetrieveRunResponse.parse(run);
  });

  test('that was cancelled counts as completed and failed, as in the reference', async () => {
    const triggered = await stage.trigger('hold');
    await stage.api.runWhen(triggered.runId, hasStarted);
    await stage.api.cancel(triggered.runId);
    const run = await stage.api.runWhen(triggered.runId, isCompleted);
    expect(run).toEqual({
      ...common(triggered, 'hold'),
      ...only('Completed', 'Failed', 'Cancelled'),
      status: 'CANCELED',
      startedAt: iso,
      finishedAt: iso,
      durationMs: expect.any(Number),
      attemptCount: 1,
    });
    RetrieveRunResponse.parse(run);
  });

  test('that no worker took in time has expired', async () => {
    const triggered = await stage.trigger('nobody-serves-this', { ttl: 1 });
    const run = await stage.api.runWhen(triggered.runId, isCompleted);
    expect(run).toEqual({
      ...common(triggered, 'nobody-serves-this'),
      ...only('Completed', 'Failed'),
      status: 'EXPIRED',
      finishedAt: iso,
      expiredAt: run.finishedAt,
      ttl: '1s',
      durationMs: 0,
      attemptCount: 0,
      error: { name: 'TimeoutFailure', message: expect.any(String) },
    });
    RetrieveRunResponse.parse(run);
  });

  test('that outlived its maxDuration has timed out', async () => {
    const triggered = await stage.trigger('hold', { maxDuration: 1 });
    const run = await stage.api.runWhen(triggered.runId, isCompleted);
    expect(run).toEqual({
      ...common(triggered, 'hold'),
      ...only('Completed', 'Failed'),
      status: 'TIMED_OUT',
      startedAt: iso,
      finishedAt: iso,
      durationMs: expect.any(Number),
      attemptCount: 1,
      error: expect.objectContaining({ name: 'MaxDurationExceeded' }),
    });
    RetrieveRunResponse.parse(run);
  });

  test('whose worker fell silent has crashed, once its attempts are used up', async () => {
    const triggered = await stage.trigger('silent', { maxAttempts: 1 });
    const run = await stage.api.runWhen(triggered.runId, isCompleted);
    expect(run).toEqual({
      ...common(triggered, 'silent'),
      ...only('Completed', 'Failed'),
      status: 'CRASHED',
      startedAt: iso,
      finishedAt: iso,
      durationMs: expect.any(Number),
      attemptCount: 1,
      error: { name: 'TimeoutFailure', message: expect.any(String) },
    });
    RetrieveRunResponse.parse(run);
  });
});

describe.concurrent('who may read a run', () => {
  test('only the environment of the run, and a token that names it, its task or a tag of it', async () => {
    const { runId, sessionId } = await stage.trigger('returning', { tags: ['mine', 'user:1'] });
    const statusFor = async (...scopes: string[]) =>
      (await stage.api.run(runId, { key: await stage.tokenOf(...scopes) })).status;
    const passing = [
      `read:runs:${runId}`,
      'read:runs',
      'read:tasks:returning',
      'read:tags:user:1',
      'read:all',
      'admin',
    ];
    for (const scope of passing) expect([scope, await statusFor(scope)]).toEqual([scope, 200]);
    const failing = [`read:runs:${unknownRunId}`, 'read:tasks:other', 'read:tags:user', `read:sessions:${sessionId}`];
    expect(await statusFor(...failing, `write:runs:${runId}`)).toBe(403);
    expect(await statusFor()).toBe(403);
    expect((await stage.api.run(runId, { key: stage.site.prodKey })).status).toBe(404);
    expect((await stage.api.run(runId, { key: null })).status).toBe(401);
  });

  test('who may not learns that it does not exist, as everybody does', async () => {
    for (const key of [stage.site.devKey, await stage.tokenOf('read:runs:run_1')]) {
      for (const runId of [unknownRunId, 'run_1', 'nonsense', 'run_A', '%20']) {
        const { status, body, headers } = await stage.api.run(runId, { key });
        expect([status, body]).toEqual([404, { error: 'Not found' }]);
        expect(headers.get('x-should-retry')).toBe('true');
      }
    }
  });
});
