import { describe, expect, test } from 'vitest';
import {
  type Grant,
  mayCancelRun,
  mayCreate,
  mayReadRun,
  mayReadSession,
  permits,
  type ScopeCheck,
} from '../../src/domain/scope.ts';

const granted = (...scopes: string[]): Grant => ({ kind: 'scopes', scopes });
const all: Grant = { kind: 'all' };

const readOne: readonly ScopeCheck[] = [{ action: 'read', type: 'sessions', ids: ['a', 'session_1'] }];
const readNone: readonly ScopeCheck[] = [{ action: 'read', type: 'sessions', ids: [] }];

describe('the scope grammar', () => {
  test.each([
    ['admin', true],
    ['read:sessions', true],
    ['read:sessions:a', true],
    ['read:sessions:session_1', true],
    ['read:all', true],
    ['*:sessions', true],
    ['*:all', true],
    ['read:all:a', true],
    ['read:sessions:b', false],
    ['read:sessions:A', false],
    ['read:sessions:', false],
    ['read:session', false],
    ['read:runs', false],
    ['read', false],
    ['*', false],
    ['write:sessions:a', false],
    ['admin:sessions', false],
    ['admin:all', false],
    ['Admin', false],
    ['read:*', false],
    ['', false],
    [':', false],
    ['::', false],
    [' read:sessions', false],
  ])('%j opens reading session a: %s', (scope, expected) => {
    expect(permits(granted(scope), readOne)).toBe(expected);
  });

  test('a scope with an id does not open a resource that is declared without one', () => {
    expect(permits(granted('read:sessions:a'), readNone)).toBe(false);
    expect(permits(granted('read:sessions'), readNone)).toBe(true);
  });

  test('only the first two colons split: an id may hold more', () => {
    const check: readonly ScopeCheck[] = [{ action: 'read', type: 'sessions', ids: ['a:b:c'] }];
    expect(permits(granted('read:sessions:a:b:c'), check)).toBe(true);
    expect(permits(granted('read:sessions:a:b'), check)).toBe(false);
    expect(permits(granted('read:sessions:a'), check)).toBe(false);
  });

  test('one fitting scope among others is enough, none is not', () => {
    expect(permits(granted('write:tasks', 'read:sessions:a'), readOne)).toBe(true);
    expect(permits(granted(), readOne)).toBe(false);
  });

  test('a secret key passes every check', () => {
    expect(permits(all, readNone)).toBe(true);
    expect(permits(all, [])).toBe(true);
  });
});

describe('what each operation asks for', () => {
  test.each([
    ['write:sessions', true],
    ['write:sessions:chat_1', true],
    ['write:tasks:my-chat', true],
    ['write:tasks', true],
    ['write:all', true],
    ['admin', true],
    ['write:sessions:chat_2', false],
    ['write:tasks:other', false],
    ['trigger:tasks:my-chat', false],
    ['read:sessions:chat_1', false],
  ])('create of chat_1 for my-chat with %s: %s', (scope, expected) => {
    expect(permits(granted(scope), mayCreate('my-chat', ['chat_1']))).toBe(expected);
  });

  test('create without an external id is not opened by a token for one session', () => {
    expect(permits(granted('write:sessions:chat_1'), mayCreate('my-chat', []))).toBe(false);
    expect(permits(granted('write:sessions'), mayCreate('my-chat', []))).toBe(true);
  });

  test('a session is read by either of its ids', () => {
    const check = mayReadSession(['session_1', 'chat_1']);
    expect(permits(granted('read:sessions:chat_1'), check)).toBe(true);
    expect(permits(granted('read:sessions:session_1'), check)).toBe(true);
    expect(permits(granted('read:sessions:session_2'), check)).toBe(false);
  });

  test.each([
    ['read:runs:run_1', true],
    ['read:runs', true],
    ['read:tasks:my-chat', true],
    ['read:tags:blue', true],
    ['read:all', true],
    ['read:tags:red', false],
    ['read:sessions', false],
    ['write:runs:run_1', false],
  ])('reading run_1 of my-chat tagged blue with %s: %s', (scope, expected) => {
    const run = { runId: 'run_1', taskIdentifier: 'my-chat', tags: ['blue'] };
    expect(permits(granted(scope), mayReadRun(run))).toBe(expected);
  });

  test.each([
    ['write:runs:run_1', true],
    ['write:tasks:my-chat', true],
    ['write:all', true],
    ['read:runs:run_1', false],
    ['write:tags:blue', false],
    ['write:sessions', false],
  ])('cancelling run_1 of my-chat with %s: %s', (scope, expected) => {
    expect(permits(granted(scope), mayCancelRun({ runId: 'run_1', taskIdentifier: 'my-chat' }))).toBe(expected);
  });
});
