import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { errorCausesMax, errorMessageLengthMax, errorStackLengthMax } from '../../src/domain/limits.ts';
import { AbortRunError } from '../../src/tasks/abort-run-error.ts';
import { taskFailure } from '../../src/tasks/attempt-failure.ts';
import { SessionError } from '../../src/tasks/session/session-error.ts';

test('what a task throws keeps its name, message and stack, and may be tried again', () => {
  const failure = taskFailure(new RangeError('too far'));
  expect(failure).toMatchObject({ type: 'RangeError', message: 'too far', nonRetryable: false });
  expect(failure.stack).toContain('attempt-failure.test.ts');
});

test('an abort, and any class made from it, ends the run', () => {
  class PaymentRefused extends AbortRunError {}
  expect(taskFailure(new AbortRunError('no'))).toMatchObject({ type: 'AbortRunError', nonRetryable: true });
  expect(taskFailure(new PaymentRefused('no'))).toMatchObject({ nonRetryable: true });
});

test('an error of the session ends the run, unless the session may be back for another attempt', () => {
  for (const code of ['superseded', 'ended', 'refused', 'no-message'] as const) {
    expect(taskFailure(new SessionError(code, 'no'))).toMatchObject({ type: 'SessionError', nonRetryable: true });
  }
  const unreachable = { type: 'SessionUnreachable', nonRetryable: false };
  expect(taskFailure(new SessionError('unreachable', 'no'))).toMatchObject(unreachable);
});

test('a failure made for Temporal passes as it is', () => {
  const failure = ApplicationFailure.create({ message: 'later', nextRetryDelay: '1 minute' });
  expect(taskFailure(failure)).toBe(failure);
});

test.each([
  ['text', 'text'],
  [undefined, 'undefined'],
  [Object.create(null), 'an object that cannot be shown'],
])('a thrown %s is an error too', (thrown, message) => {
  expect(taskFailure(thrown)).toMatchObject({ type: 'Error', message, nonRetryable: false });
});

test('a name or a message that is no text becomes one', () => {
  const error = Object.assign(new Error('x'), { message: { code: 7 }, name: undefined });
  expect(taskFailure(error)).toMatchObject({ type: 'undefined', message: '[object Object]' });
});

test('half of a surrogate pair, which cannot be sent, is replaced wherever it stands', () => {
  const half = '\ud83d';
  const error = new Error(`a${half}b`, { cause: new Error(half) });
  expect(taskFailure(error)).toMatchObject({ message: 'a\ufffdb', cause: { message: '\ufffd' } });
  const emoji = taskFailure(new Error('🙂'.repeat(errorMessageLengthMax)));
  expect(emoji.message.isWellFormed()).toBe(true);
  const own = ApplicationFailure.create({ message: half, cause: new Error(half) });
  expect(taskFailure(own)).toMatchObject({ message: '\ufffd', cause: { message: '\ufffd' } });
  expect(own.stack?.isWellFormed()).toBe(true);
});

test('long texts are cut', () => {
  const error = new Error('x'.repeat(100_000));
  error.stack = 'y'.repeat(100_000);
  const failure = taskFailure(error);
  expect(failure.message).toHaveLength(errorMessageLengthMax);
  expect(failure.stack).toHaveLength(errorStackLengthMax);
});

test('a circular chain of causes ends', () => {
  const error = new Error('outer', { cause: new Error('inner') });
  (error.cause as Error).cause = error;
  let depth = 0;
  for (let cause = taskFailure(error).cause; cause !== undefined; cause = cause.cause as Error | undefined) depth += 1;
  expect(depth).toBe(errorCausesMax);
});
