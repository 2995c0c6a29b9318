import { describe, expect, test } from 'vitest';
import { sessionSummary } from '../../src/domain/describe-session.ts';
import { idBody, parseRunId, parseSessionId, sessionIdOf } from '../../src/domain/ids.ts';
import { fairnessKeyOf, taskQueueCandidates } from '../../src/domain/task-queue.ts';
import { parseDurationSeconds, runOptions, runPayload } from '../../src/domain/trigger-config.ts';

describe('payload of a run', () => {
  const config = {
    basePayload: { chatId: 'c', trigger: 'preload', message: 1, messages: [], custom: { x: 1 }, sessionId: 'mine' },
    idleTimeoutInSeconds: 45,
  };

  test('of a first run keeps the boot fields and always names the session', () => {
    expect(runPayload(config, 'session_1', null)).toEqual({
      ...config.basePayload,
      idleTimeoutInSeconds: 45,
      sessionId: 'session_1',
    });
  });

  test('of a continuation drops the boot fields and names the previous run', () => {
    const payload = runPayload(config, 'session_1', 'run_1');
    expect(payload).toEqual({
      chatId: 'c',
      custom: { x: 1 },
      idleTimeoutInSeconds: 45,
      sessionId: 'session_1',
      continuation: true,
      previousRunId: 'run_1',
    });
    expect(Object.keys(payload)).not.toContain('trigger');
  });

  test('an own __proto__ key stays a plain key and changes no prototype', () => {
    const basePayload = JSON.parse('{"__proto__":{"polluted":true}}') as Record<string, never>;
    const payload = runPayload({ basePayload }, 'session_1', 'run_1');
    expect(Object.getPrototypeOf(payload)).toBe(Object.prototype);
    expect(JSON.stringify(payload)).toContain('"__proto__":{"polluted":true}');
  });

  test('options carry everything but the payload, with the time to live in seconds', () => {
    const { basePayload: _payload, ...rest } = {
      basePayload: {},
      machine: 'small-1x',
      tags: ['t'],
      ttl: '1h30m',
      maxAttempts: 2,
    } as const;
    const { ttl: _ttl, ...options } = rest;
    expect(runOptions({ basePayload: {}, ...rest })).toEqual({ ...options, ttlSeconds: 5_400 });
    expect(runOptions({ basePayload: {} })).toEqual({ tags: [] });
  });
});

test.each([
  [60, 60],
  ['90', 90],
  ['1h30m', 5_400],
  ['2hr', 7_200],
  ['1w', 604_800],
  ['1x', null],
  ['', null],
  ['-5m', null],
] as const)('duration %o is %o seconds', (text, seconds) => {
  expect(parseDurationSeconds(text)).toBe(seconds);
});

describe('task queues of a run, most specific first', () => {
  const order = { environment: 'dev', taskIdentifier: 'my-chat' } as const;
  test.each([
    [{}, ['dev/task/my-chat']],
    [{ queue: 'fast' }, ['dev/fast']],
    [{ lockToVersion: '1' }, ['dev/task/my-chat@1']],
    [{ machine: 'micro' }, ['dev/task/my-chat/micro', 'dev/task/my-chat']],
    [{ region: 'eu' }, ['dev/task/my-chat/eu', 'dev/task/my-chat']],
    [{ machine: 'micro', region: 'eu' }, ['dev/task/my-chat/micro/eu', 'dev/task/my-chat/micro', 'dev/task/my-chat']],
    [{ queue: 'fast', lockToVersion: '2', machine: 'micro' }, ['dev/fast@2/micro', 'dev/fast@2']],
  ] as const)('%o', (options, queues) => {
    expect(taskQueueCandidates({ ...order, options })).toEqual(queues);
  });

  test('equal tasks of two environments never share a queue', () => {
    const queueOf = (environment: 'dev' | 'prod') => taskQueueCandidates({ ...order, environment, options: {} });
    expect(queueOf('dev')).not.toEqual(queueOf('prod'));
  });

  test('a fairness key stays within 64 ASCII bytes', () => {
    expect(fairnessKeyOf('user-1')).toBe('user-1');
    expect(fairnessKeyOf('ü'.repeat(200))).toMatch(/^[\x21-\x7e]{64}$/);
  });
});

describe('ids', () => {
  const entropy = new Uint8Array(16).fill(255);

  test('sort by creation time and parse', () => {
    const bodies = [0, 1, 1_700_000_000_000, 1_700_000_000_001, 9_000_000_000_000].map((at) => idBody(at, entropy));
    expect(bodies).toEqual([...bodies].sort());
    for (const body of bodies) expect(parseSessionId(sessionIdOf(body))).toBe(`session_${body}`);
  });

  test.each([
    '',
    'session_',
    'session_ABC',
    `session_${'a'.repeat(24)}`,
    `session_${'a'.repeat(26)}`,
    ` session_${'a'.repeat(25)}`,
  ])('%o is no session id', (text) => {
    expect(parseSessionId(text)).toBeNull();
  });

  test.each(['run_', 'run_A', 'run_a-b', `run_${'a'.repeat(65)}`])('%o is no run id', (text) => {
    expect(parseRunId(text)).toBeNull();
  });
});

test('a summary is one line of at most 200 bytes, cut between characters', () => {
  const summary = sessionSummary({ type: 'chat\n`agent`', taskIdentifier: 't', key: '😀'.repeat(128) });
  expect(Buffer.byteLength(summary)).toBeLessThanOrEqual(200);
  expect(summary).not.toMatch(/[\n`]/);
  expect(summary.isWellFormed()).toBe(true);
});
