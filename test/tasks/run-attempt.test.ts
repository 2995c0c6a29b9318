import { setTimeout as delay } from 'node:timers/promises';
import { CancelledFailure } from '@temporalio/common';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { heartbeatIntervalMs } from '../../src/domain/limits.ts';
import { AbortRunError } from '../../src/tasks/abort-run-error.ts';
import { defineTask, type RunContext, type Task } from '../../src/tasks/define-task.ts';
import { type Attempt, runAttempt } from '../../src/tasks/run-attempt.ts';
import type { WorkerLog } from '../../src/tasks/task-log.ts';
import { type ClaimPeer, granted, startClaimPeer } from './claim-peer.ts';

const silent: WorkerLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };
let peer: ClaimPeer;
let cancellation: AbortController;

beforeEach(async () => {
  peer = await startClaimPeer();
  cancellation = new AbortController();
});
afterEach(async () => {
  vi.useRealTimers();
  await peer.close();
});

function input(payload: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    run: { id: 'run_1', number: 2, reason: 'continuation' },
    session: { id: 'session_1', externalId: 'chat', key: 'chat' },
    payload,
    tags: ['t'],
    maxDuration: null,
    idleTimeoutInSeconds: 30,
    api: { url: peer.url, claim: '/api/v1/runs/run_1/claim' },
  };
}

function run(task: Task, more: Partial<Attempt> = {}): Promise<unknown> {
  const attempt = { input: input(), number: 3, cancellation: cancellation.signal, heartbeat: () => {}, ...more };
  const settings = { secretKey: 'tr_dev_0123456789abcdef', apiUrl: null, log: silent };
  return runAttempt(task, attempt, { ...settings, stopGraceMs: 200, claimDeadlineMs: 200 });
}

/** A task that tells when it has begun. */
function begun(execute: (context: RunContext) => unknown): { readonly task: Task; readonly begins: Promise<void> } {
  let begin = (): void => {};
  const begins = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const task = defineTask({
    id: 'a',
    run: (_, context) => {
      begin();
      return execute(context);
    },
  });
  return { task, begins };
}

test('a task is told its session, run and attempt, and its output is the outcome', async () => {
  const task = defineTask({
    id: 'a',
    run: (payload, { session, run: order, attempt }) => ({ payload, session, run: order, attempt }),
  });
  expect(await run(task, { input: input({ n: 1 }) })).toEqual({
    payload: { n: 1 },
    session: { id: 'session_1', externalId: 'chat', key: 'chat' },
    run: { id: 'run_1', number: 2, reason: 'continuation', tags: ['t'], maxDuration: null, idleTimeoutInSeconds: 30 },
    attempt: 3,
  });
  expect(peer.calls).toMatchObject([{ path: '/api/v1/runs/run_1/claim', body: { attempt: 3 } }]);
});

test('the first heartbeat leaves before the claim, and they go on until the end', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const claimsAtBeats: number[] = [];
  const ending = new AbortController();
  const { task, begins } = begun(() => delay(60_000, undefined, { signal: ending.signal }).catch(() => 'done'));
  const running = run(task, { heartbeat: () => claimsAtBeats.push(peer.calls.length) });
  await begins;
  vi.advanceTimersByTime(3 * heartbeatIntervalMs);
  expect(claimsAtBeats).toEqual([0, 1, 1, 1]);
  ending.abort();
  expect(await running).toBe('done');
  expect(vi.getTimerCount()).toBe(0);
});

test.each([
  [409, 'ClaimRefused', true],
  [404, 'ClaimRefused', true],
  [401, 'ClaimUnauthorized', true],
  [422, 'ClaimRejected', true],
  [503, 'ClaimUnanswered', false],
])('a claim answered %i: %s, and the task does not run', async (status, type, nonRetryable) => {
  const execute = vi.fn<() => null>();
  peer.answer({ status });
  await expect(run(defineTask({ id: 'a', run: execute }))).rejects.toMatchObject({ type, nonRetryable });
  expect(execute).not.toHaveBeenCalled();
});

test.each([
  ['a thrown error', new RangeError('boom'), 'RangeError', false],
  ['an abort', new AbortRunError('no'), 'AbortRunError', true],
])('%s', async (_, thrown, type, nonRetryable) => {
  const task = defineTask({ id: 'a', run: () => Promise.reject(thrown) });
  await expect(run(task)).rejects.toMatchObject({ type, nonRetryable, message: thrown.message });
});

test('a payload that the parser refuses fails the run, after the claim', async () => {
  const parse = (): never => {
    throw new Error('n: expected a number');
  };
  const failure = { type: 'InvalidPayload', nonRetryable: true, message: 'n: expected a number' };
  await expect(run(defineTask({ id: 'a', parse, run: () => null }))).rejects.toMatchObject(failure);
  expect(peer.calls).toHaveLength(1);
});

test('an output that is not JSON fails the run', async () => {
  const task = defineTask({ id: 'a', run: () => 1n });
  await expect(run(task)).rejects.toMatchObject({ type: 'InvalidOutput', nonRetryable: true });
});

test.each([
  ['nothing', undefined],
  ['a path that leads elsewhere', { claim: '@elsewhere/claim' }],
])('an argument with %s for its api is refused before the key is sent', async (_, api) => {
  const wrong = { ...input(), api: api === undefined ? undefined : { url: peer.url, ...api } };
  const task = defineTask({ id: 'a', run: () => null });
  await expect(run(task, { input: wrong })).rejects.toMatchObject({ type: 'InvalidRunInput', nonRetryable: true });
  expect(peer.calls).toHaveLength(0);
});

test('a cancelled attempt is cancelled, whatever its task returns', async () => {
  const { task, begins } = begun(({ signal }) => delay(60_000, undefined, { signal }).catch(() => 'tidied up'));
  const running = run(task);
  await begins;
  cancellation.abort(new CancelledFailure('CANCELLED'));
  await expect(running).rejects.toBeInstanceOf(CancelledFailure);
});

test('a task that ignores its signal is left behind after the grace', async () => {
  const ending = new AbortController();
  const { task, begins } = begun(() => delay(60_000, undefined, { signal: ending.signal }));
  const running = run(task);
  await begins;
  cancellation.abort(new CancelledFailure('CANCELLED'));
  await expect(running).rejects.toBeInstanceOf(CancelledFailure);
  ending.abort();
});

test('a worker that stops hands the run over, whatever its task returns', async () => {
  const { task, begins } = begun(({ signal }) => delay(60_000, undefined, { signal }).catch(() => 'half'));
  const running = run(task);
  await begins;
  cancellation.abort(new CancelledFailure('WORKER_SHUTDOWN'));
  await expect(running).rejects.toMatchObject({ type: 'WorkerShutdown', nonRetryable: false });
});

test('the signal fires at the deadline of the claim, and the run is over', async () => {
  peer.answer(granted(new Date(Date.now() + 300).toISOString()));
  const heard = vi.fn<(why: unknown) => void>();
  const { task } = begun(({ signal }) => delay(60_000, undefined, { signal }).catch(() => heard(signal.reason.why)));
  await expect(run(task)).rejects.toMatchObject({ type: 'MaxDurationExceeded', nonRetryable: true });
  expect(heard).toHaveBeenCalledWith('max-duration');
});

test('a deadline that has passed leaves no time to begin', async () => {
  peer.answer(granted(new Date(Date.now() - 1_000).toISOString()));
  const execute = vi.fn<() => null>();
  await expect(run(defineTask({ id: 'a', run: execute }))).rejects.toMatchObject({ type: 'MaxDurationExceeded' });
  expect(execute).not.toHaveBeenCalled();
});

test('a cancellation during the claim ends it', async () => {
  peer.answer('hang');
  const running = run(defineTask({ id: 'a', run: () => null }));
  await expect.poll(() => peer.calls.length).toBe(1);
  cancellation.abort(new CancelledFailure('CANCELLED'));
  await expect(running).rejects.toBeInstanceOf(CancelledFailure);
});
