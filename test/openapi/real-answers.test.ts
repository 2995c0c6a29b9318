/** The check that every HTTP test runs over its answers must be able to fail. */
import { describe, expect, test } from 'vitest';
import { expectDocumented, expectDocumentedRequest } from '../harness/api-document.ts';

const json = (status: number, body: unknown) => Response.json(body, { status });

const session = {
  id: 'session_1',
  externalId: null,
  type: 'chat.agent',
  taskIdentifier: 'my-chat',
  triggerConfig: { basePayload: { any: ['thing'] } },
  currentRunId: null,
  tags: [],
  metadata: { any: 'thing' },
  closedAt: null,
  closedReason: null,
  expiresAt: null,
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
};

describe('an answer that the document declares passes', () => {
  test.each([
    ['GET', '/api/v1/sessions/chat_1', json(200, session)],
    ['POST', '/api/v1/sessions', json(201, { ...session, runId: 'run_1', publicAccessToken: 'a', isCached: false })],
    ['GET', '/api/v1/sessions?page[size]=1', json(200, { data: [session], pagination: {} })],
    ['GET', '/api/v1/sessions/chat_1', json(404, { error: 'Not found' })],
    ['DELETE', '/api/v1/sessions/chat_1', json(405, { error: 'Method not allowed' })],
    ['OPTIONS', '/api/v1/sessions/chat_1', json(200, {})],
    ['GET', '/nowhere', json(404, { error: 'Not found' })],
  ])('%s %s', async (method, target, response) => {
    await expect(expectDocumented(method, target, response)).resolves.toBeUndefined();
  });
});

describe('an answer that it does not declare is caught', () => {
  const { externalId: _missing, ...incomplete } = session;
  test.each([
    ['another status', 'GET', '/api/v1/sessions/chat_1', json(418, session), /declares no such status/],
    ['a missing key', 'GET', '/api/v1/sessions/chat_1', json(200, incomplete), /externalId/],
    ['a key too many', 'GET', '/api/v1/sessions/chat_1', json(200, { ...session, ownerRunId: 1 }), /unevaluated/],
    [
      'a key too many deep inside',
      'GET',
      '/api/v1/sessions',
      json(200, { data: [{ ...session, x: 1 }], pagination: {} }),
      /unevaluated/,
    ],
    ['another type', 'GET', '/api/v1/sessions/chat_1', json(200, { ...session, tags: null }), /tags must be array/],
    [
      'a date of another form',
      'GET',
      '/api/v1/sessions/chat_1',
      json(200, { ...session, createdAt: 'now' }),
      /date-time/,
    ],
    ['text', 'GET', '/api/v1/sessions/chat_1', new Response('hello'), /declares no text\/plain body/],
    ['an operation of its own', 'GET', '/api/v1/secrets', json(200, {}), /no such operation/],
    ['another method', 'PUT', '/api/v1/sessions/chat_1', json(200, {}), /no such operation/],
  ])('%s', async (_name, method, target, response, why) => {
    await expect(expectDocumented(method, target, response)).rejects.toThrow(why);
  });
});

test('a request that the document does not describe is caught, too', () => {
  const body = { type: 'chat.agent', taskIdentifier: 'my-chat', triggerConfig: { basePayload: {} } };
  const create = (changes: object) =>
    expectDocumentedRequest('POST', '/api/v1/sessions', JSON.stringify({ ...body, ...changes }));
  expect(() => create({ unknown: 'keys are dropped' })).not.toThrow();
  expect(() => create({ type: 7 })).toThrow(/type must be string/);
  expect(() => create({ tags: Array(11).fill('tag') })).toThrow(/tags must NOT have more than 10 items/);
});
