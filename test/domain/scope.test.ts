import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Grant,
  isScope,
  mayActOnRun,
  mayCreate,
  mayReadRun,
  mayReadSession,
  permits,
  permitsAll,
  type ScopeCheck,
  scopesBeyond,
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
    expect(permits(granted(scope), mayActOnRun({ runId: 'run_1', taskIdentifier: 'my-chat' }))).toBe(expected);
  });
});

describe('a key may grant', () => {
  test.each([
    ['admin', 'admin', true],
    ['admin', 'write:all', true],
    ['*:all', 'admin', false],
    ['*:all', 'admin:sessions', true],
    ['read:sessions', 'read:sessions', true],
    ['read:sessions', 'read:sessions:chat_1', true],
    ['read:sessions:chat_1', 'read:sessions:chat_1', true],
    ['read:sessions:a:b', 'read:sessions:a:b', true],
    ['read:all:chat_1', 'read:sessions:chat_1', true],
    ['read:sessions:chat_1', 'read:sessions', false],
    ['read:sessions:chat_1', 'read:sessions:chat_2', false],
    ['read:sessions:chat_1', 'read:sessions:chat_1:2', false],
    ['read:sessions', 'write:sessions', false],
    ['read:sessions', '*:sessions', false],
    ['read:sessions', 'read:all', false],
    ['read:sessions', 'read', false],
    ['read', 'read', false],
  ])('with %s the scope %s: %s', (held, wanted, expected) => {
    expect(scopesBeyond(granted(held), [wanted])).toEqual(expected ? [] : [wanted]);
  });

  test('everything when it is a root key, nothing when it has no scopes', () => {
    expect(scopesBeyond(all, ['admin', 'read:sessions'])).toEqual([]);
    expect(scopesBeyond(granted(), ['read:sessions'])).toEqual(['read:sessions']);
    expect(scopesBeyond(granted('read:runs', 'read:sessions:a'), ['read:sessions:a', 'admin', 'read:tags'])).toEqual([
      'admin',
      'read:tags',
    ]);
  });

  test('nothing that it could not do itself: what a granted scope opens, the key opens', () => {
    const part = fc.constantFrom('read', 'write', 'admin', '*', 'all', 'sessions', 'tasks', 'a', 'a:b', '');
    const scope = fc
      .oneof(part, fc.tuple(part, part), fc.tuple(part, part, part))
      .map((parts) => [parts].flat().join(':'));
    const check = fc.record({ action: part, type: part, ids: fc.array(part, { maxLength: 2 }) });
    const held = fc.array(scope, { maxLength: 3 }).map((scopes) => granted(...scopes));
    fc.assert(
      fc.property(held, scope, check, (key, wanted, asked) => {
        fc.pre(scopesBeyond(key, [wanted]).length === 0);
        return !permits(granted(wanted), [asked]) || permits(key, [asked]);
      }),
      { numRuns: 1_000 },
    );
  });
});

test('what no scope names is for those who may do everything', () => {
  expect([all, granted('admin')].map(permitsAll)).toEqual([true, true]);
  expect([granted(), granted('*:all', 'admin:all')].map(permitsAll)).toEqual([false, false]);
});

test.each([
  ['admin', true],
  ['read:sessions', true],
  ['*:all', true],
  ['trigger:tasks:my task: 1', true],
  ['reed:sessions', false],
  ['read', false],
  ['read:', false],
  ['read:sessions:', false],
  ['read: sessions', false],
  ['', false],
])('%s is a scope that can open something: %s', (text, expected) => {
  expect(isScope(text)).toBe(expected);
});
