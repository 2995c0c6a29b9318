import { afterEach, expect, test, vi } from 'vitest';
import { AttemptStopped, watchForStop } from '../../src/tasks/stop.ts';

afterEach(() => {
  vi.useRealTimers();
});

test.each([
  ['CANCELLED', 'cancelled'],
  ['WORKER_SHUTDOWN', 'worker-shutdown'],
  ['TIMED_OUT', 'lost'],
  ['NOT_FOUND', 'lost'],
  ['PAUSED', 'lost'],
] as const)('a cancellation %s stops the attempt: %s', (kind, why) => {
  const cancellation = new AbortController();
  const stop = watchForStop(cancellation.signal);
  expect(stop.why()).toBeNull();
  cancellation.abort(new Error(kind));
  expect(stop.why()).toBe(why);
  expect(stop.signal.reason).toBeInstanceOf(AttemptStopped);
  expect(stop.signal.reason).toMatchObject({ why, name: 'AbortError' });
  stop.release();
});

test('an attempt that begins cancelled is stopped at once', () => {
  const stop = watchForStop(AbortSignal.abort(new Error('CANCELLED')));
  expect(stop.why()).toBe('cancelled');
  stop.release();
});

test('the first reason stays', () => {
  const cancellation = new AbortController();
  const stop = watchForStop(cancellation.signal);
  stop.stopAt(Date.now() - 1);
  cancellation.abort(new Error('CANCELLED'));
  expect(stop.why()).toBe('max-duration');
  stop.release();
});

test('a deadline stops when it comes, however far away it is', async () => {
  vi.useFakeTimers();
  const stop = watchForStop(new AbortController().signal);
  const yearMs = 365 * 24 * 3_600_000;
  stop.stopAt(Date.now() + yearMs);
  await vi.advanceTimersByTimeAsync(yearMs - 1);
  expect(stop.why()).toBeNull();
  await vi.advanceTimersByTimeAsync(1);
  expect(stop.why()).toBe('max-duration');
  stop.release();
});

test('the grace begins with the signal', async () => {
  vi.useFakeTimers();
  const cancellation = new AbortController();
  const stop = watchForStop(cancellation.signal, 1_000);
  const over = vi.fn<() => void>();
  void stop.graceOver.then(over);
  await vi.advanceTimersByTimeAsync(5_000);
  cancellation.abort(new Error('CANCELLED'));
  await vi.advanceTimersByTimeAsync(999);
  expect(over).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(over).toHaveBeenCalledOnce();
  stop.release();
});

test('a released watch leaves no timer and hears nothing more', () => {
  vi.useFakeTimers();
  const cancellation = new AbortController();
  const stop = watchForStop(cancellation.signal);
  stop.stopAt(Date.now() + 1_000);
  stop.release();
  cancellation.abort(new Error('CANCELLED'));
  expect(vi.getTimerCount()).toBe(0);
  expect(stop.why()).toBeNull();
});
