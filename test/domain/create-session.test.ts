import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CreateRequest, decideCreate, sameJson } from '../../src/domain/create-session.ts';
import { environmentIdOf, runIdOf, sessionIdOf } from '../../src/domain/ids.ts';
import type { Session } from '../../src/domain/session.ts';
import type { JsonValue } from '../../src/domain/trigger-config.ts';

const now = new Date('2026-01-01T00:00:00.000Z');
const body = 'a'.repeat(25);

const request = (changes: Partial<CreateRequest> = {}): CreateRequest => ({
  type: 'chat.agent',
  taskIdentifier: 'my-chat',
  triggerConfig: { basePayload: { chatId: 'chat_1', nested: { a: 1, b: [2] } } },
  externalId: 'chat_1',
  ...changes,
});

const session = (changes: Partial<Session> = {}): Session => ({
  id: sessionIdOf(body),
  environmentId: environmentIdOf(body),
  workflowId: 'session/dev/chat_1',
  externalId: 'chat_1',
  type: 'chat.agent',
  taskIdentifier: 'my-chat',
  triggerConfig: request().triggerConfig,
  tags: ['a'],
  metadata: { plan: 'free' },
  requestKey: 'key-1',
  createdAt: now,
  updatedAt: now,
  closedAt: null,
  closedReason: null,
  expiresAt: null,
  expiredAt: null,
  currentRun: { id: runIdOf(body), number: 4, live: true },
  readAt: now,
  ...changes,
});

describe('a create', () => {
  test('of an unknown external id starts a session', () => {
    expect(decideCreate(null, request(), now)).toEqual({ kind: 'start' });
  });

  test.each([
    ['closed', session({ closedAt: now }), 'session_closed'],
    ['closed and past its expiry', session({ closedAt: now, expiresAt: now }), 'session_closed'],
    ['expired by the flag', session({ expiredAt: now }), 'session_expired'],
    ['expired by the clock', session({ expiresAt: now }), 'session_expired'],
  ] as const)('of a session that is %s is refused', (_name, found, code) => {
    expect(decideCreate(found, request(), now)).toEqual({ kind: 'refuse', code });
  });

  test('with an expiry that has passed is refused before anything is made', () => {
    expect(decideCreate(null, request({ expiresAt: now }), now)).toEqual({ kind: 'refuse', code: 'session_expired' });
    expect(decideCreate(session(), request({ expiresAt: now }), now)).toEqual({
      kind: 'refuse',
      code: 'session_expired',
    });
  });

  test('of an open session with a live run writes nothing when nothing differs', () => {
    const same = request({ tags: ['a'], metadata: { plan: 'free' } });
    expect(decideCreate(session(), same, now)).toEqual({ kind: 'reuse', changed: false, deadRun: null });
  });

  test('leaves tags, metadata and expiry alone when the body does not name them', () => {
    expect(
      decideCreate(session({ tags: ['x'], expiresAt: new Date(now.getTime() + 1) }), request(), now),
    ).toMatchObject({ changed: false });
  });

  test.each([
    ['trigger config', request({ triggerConfig: { basePayload: {} } })],
    ['tags', request({ tags: [] })],
    ['metadata', request({ metadata: { plan: 'paid' } })],
    ['expiry', request({ expiresAt: new Date(now.getTime() + 60_000) })],
  ] as const)('writes a changed %s through', (_name, changed) => {
    expect(decideCreate(session(), changed, now)).toMatchObject({ kind: 'reuse', changed: true });
  });

  test('names the dead run that needs a successor', () => {
    const dead = session({ currentRun: { id: runIdOf(body), number: 4, live: false } });
    expect(decideCreate(dead, request(), now)).toMatchObject({ kind: 'reuse', deadRun: 4 });
  });
});

describe('sameJson', () => {
  test('law: a value equals its own copy with reordered keys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const reordered = JSON.parse(JSON.stringify(value), (_key, part: unknown) =>
          typeof part === 'object' && part !== null && !Array.isArray(part)
            ? Object.fromEntries(Object.entries(part).reverse())
            : part,
        ) as JsonValue;
        expect(sameJson(JSON.parse(JSON.stringify(value)) as JsonValue, reordered)).toBe(true);
      }),
    );
  });

  test.each([
    [{ a: 1 }, { a: 1, b: 2 }],
    [{ a: null }, {}],
    [{ a: undefined as unknown as JsonValue }, { b: null }],
    [
      [1, 2],
      [2, 1],
    ],
    [[], {}],
    [null, {}],
    ['1', 1],
  ] as [JsonValue, JsonValue][])('%o differs from %o', (left, right) => {
    expect(sameJson(left, right)).toBe(false);
    expect(sameJson(right, left)).toBe(false);
  });
});
