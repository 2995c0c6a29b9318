/** PATCH /api/v1/sessions/{session}: labels, replaced whole, in every state. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../harness/api.ts';
import type { OpenedSession } from '../workflows/stage.ts';
import { untilEnded } from '../workflows/wait.ts';
import { endedStates, openSessionStage, openStates, type SessionStage } from './session-stage.ts';

let stage: SessionStage;

beforeAll(async () => {
  stage = await openSessionStage();
});

afterAll(async () => {
  await stage?.stop();
});

const patch = (key: string, body?: unknown): Promise<Answer> =>
  stage.api.call(`/api/v1/sessions/${encodeURIComponent(key)}`, {
    method: 'PATCH',
    ...(body === undefined ? {} : { body }),
  });

const opened = (changes: Readonly<Record<string, unknown>> = {}): Promise<OpenedSession> =>
  stage.open('quick', changes);

describe('what is there', () => {
  test.each([...openStates, ...endedStates])('is replaced when the session is %s', async (state) => {
    const session = await stage.inState(state);
    const before = await stage.api.session(session.id);
    const update = { tags: ['a', 'b'], metadata: { plan: 'pro', deep: { list: [1, null] } } };
    const { status, body } = await patch(session.externalId, update);
    expect({ status, body }).toEqual({
      status: 200,
      body: { ...before.body, ...update, updatedAt: expect.any(String) },
    });
    expect(body.updatedAt > before.body.updatedAt).toBe(true);
    expect((await stage.api.session(session.id)).body).toEqual(body);
    await stage.rows(session);
  });

  test('stays where the body does not name it', async () => {
    const { id } = await opened({ tags: ['kept'], metadata: { kept: true } });
    expect((await patch(id, { tags: [] })).body).toMatchObject({ tags: [], metadata: { kept: true } });
    expect((await patch(id, { metadata: null })).body).toMatchObject({ tags: [], metadata: null });
  });

  test('is answered as it is by a body that changes nothing', async () => {
    const { id } = await opened({ tags: ['kept'] });
    const before = await stage.api.session(id);
    expect(await patch(id, { unknown: 1 })).toMatchObject({ status: 200, body: { updatedAt: before.body.updatedAt } });
  });

  test('keeps keys that mean something to JavaScript', async () => {
    const { id } = await opened();
    await patch(id, '{"metadata":{"__proto__":{"a":1},"constructor":2}}');
    const response = await fetch(`${stage.server.url}/api/v1/sessions/${id}`, {
      headers: { Authorization: `Bearer ${stage.site.devKey}` },
    });
    expect(await response.text()).toContain('"metadata":{"__proto__":{"a":1},"constructor":2}');
  });
});

describe('the external id', () => {
  const fixed =
    'externalId cannot be changed after creation; close this session and create a new one with the desired externalId';

  test('may be repeated, with space around it too', async () => {
    const { id, externalId } = await opened();
    expect(await patch(id, { externalId, tags: ['x'] })).toMatchObject({ status: 200, body: { externalId } });
    expect((await patch(id, { externalId: ` ${externalId} ` })).status).toBe(200);
  });

  test.each(['other', null])('cannot become %s (I6), and nothing else is written', async (externalId) => {
    const { id } = await opened({ tags: ['kept'] });
    expect(await patch(id, { externalId, tags: ['lost'] })).toMatchObject({ status: 422, body: { error: fixed } });
    expect((await stage.api.session(id)).body.tags).toEqual(['kept']);
  });

  test('cannot be given to a session that has none, which may say so', async () => {
    const { body } = await stage.api.create();
    expect(await patch(body.id, { externalId: 'late' })).toMatchObject({ status: 422, body: { error: fixed } });
    expect(await patch(body.id, { externalId: null })).toMatchObject({ status: 200 });
  });
});

describe('422, with details', () => {
  test.each([
    ['eleven tags', { tags: Array.from({ length: 11 }, String) }, 'tags'],
    ['a tag of 129 characters', { tags: ['x'.repeat(129)] }, 'tags.0'],
    ['tags that are no list', { tags: 'a' }, 'tags'],
    ['tags of null', { tags: null }, 'tags'],
    ['metadata that is a list', { metadata: [] }, 'metadata'],
    ['metadata that is text', { metadata: 'a' }, 'metadata'],
    ['the reserved prefix', { externalId: 'session_x' }, 'externalId'],
    ['an empty external id', { externalId: '  ' }, 'externalId'],
    ['a body of more than 32 KB', { metadata: { a: 'x'.repeat(32_768) } }, ''],
    ['a list', [], ''],
    ['no JSON', '{', ''],
    ['no body', undefined, ''],
  ])('%s', async (_, body, path) => {
    const { id } = await opened();
    const answer = await patch(id, body);
    expect(answer).toMatchObject({ status: 422, body: { error: expect.any(String), details: expect.any(Array) } });
    expect(answer.body.details[0].path.join('.')).toBe(path);
  });
});

test('a session that is not there', async () => {
  expect(await patch('nobody', { tags: [] })).toMatchObject({ status: 404, body: { error: 'Session not found' } });
});

test('twenty updates and twenty closes at once: each update is whole, the close stands', async () => {
  const session = await stage.inState('open running');
  const updates = Array.from({ length: 20 }, (_, n) => patch(session.id, { tags: [`t${n}`], metadata: { n } }));
  const closes = Array.from({ length: 20 }, (_, n) =>
    stage.api.call(`/api/v1/sessions/${session.id}/close`, { method: 'POST', body: { reason: `r${n}` } }),
  );
  const answers = await Promise.all([...updates, ...closes]);
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  for (const { body } of answers.slice(0, 20)) expect(body.tags).toEqual([`t${body.metadata.n}`]);
  const { body } = await stage.api.session(session.id);
  expect(body.tags).toEqual([`t${body.metadata.n}`]);
  expect(new Set(answers.slice(20).map(({ body: { closedReason } }) => closedReason))).toEqual(
    new Set([body.closedReason]),
  );
  await untilEnded(stage.client, session);
  await stage.rows(session);
});
