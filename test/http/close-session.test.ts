/** POST /api/v1/sessions/{session}/close: once, for good, and told to whoever must know. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, Call } from '../harness/api.ts';
import type { OpenedSession } from '../workflows/stage.ts';
import { untilEnded } from '../workflows/wait.ts';
import { openSessionStage, openStates, type SessionStage } from './session-stage.ts';

let stage: SessionStage;

beforeAll(async () => {
  stage = await openSessionStage();
});

afterAll(async () => {
  await stage?.stop();
});

const close = (session: Pick<OpenedSession, 'externalId'>, body?: unknown, call?: Call): Promise<Answer> =>
  stage.api.call(`/api/v1/sessions/${encodeURIComponent(session.externalId)}/close`, {
    ...call,
    method: 'POST',
    ...(body === undefined ? {} : { body }),
  });

const recordsOf = async (session: OpenedSession) =>
  (await stage.rows(session)).records.map(({ stream, headers, body }) => ({
    stream,
    headers,
    text: (body as Buffer).toString(),
  }));

describe('an open session', () => {
  test.each(openStates)('is closed when it is %s, and its workflow ends', async (state) => {
    const session = await stage.inState(state);
    const before = await stage.api.session(session.id);
    const { status, body } = await close(session, { reason: 'done' });
    expect(status).toBe(200);
    expect(body).toEqual({
      ...before.body,
      currentRunId: body.currentRunId,
      closedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      closedReason: 'done',
      updatedAt: body.closedAt,
    });
    expect((await stage.api.session(session.id)).body.closedAt).toBe(body.closedAt);
    expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
    expect((await stage.rows(session)).runs.filter(({ finished_at: at }) => at === null)).toEqual([]);
  });

  test.each([
    ['no body at all', undefined],
    ['an empty object', {}],
    ['keys that mean nothing here', { other: 1 }],
  ])('is closed without a reason by %s', async (_, body) => {
    const session = await stage.inState('open idle');
    expect(await close(session, body)).toMatchObject({ status: 200, body: { closedReason: null } });
  });

  test('tells its live run by a record on `in`, and the readers of `out`', async () => {
    const session = await stage.inState('open running');
    await close(session, { reason: 'by hand' });
    expect(await recordsOf(session)).toMatchObject([
      { stream: 'in', text: expect.stringContaining('\\"trigger\\":\\"close\\"') },
      {
        stream: 'out',
        text: '',
        headers: [
          ['trigger-control', 'session-closed'],
          ['session-closed-reason', 'by hand'],
        ],
      },
    ]);
  });

  test('that its own run closes gets neither record: the run knows, and has told its readers', async () => {
    const session = await stage.inState('open running');
    expect((await close(session, { callingRunId: session.runId })).body.closedAt).not.toBeNull();
    expect(await recordsOf(session)).toEqual([]);
  });

  test('keeps a long reason whole, counted in characters', async () => {
    const reason = '\u{1f44b}'.repeat(200);
    expect((await close(await stage.inState('open idle'), { reason })).body.closedReason).toBe(reason);
  });
});

describe('a session that has ended', () => {
  test('answers the row that stands, without a word to Temporal', async () => {
    const session = await stage.inState('closed');
    await untilEnded(stage.client, session);
    const handle = stage.client.workflow.getHandle(session.workflowId);
    const { runId } = await handle.describe();
    const before = await stage.api.session(session.id);
    expect(await close(session, { reason: 'second' })).toMatchObject({ status: 200, body: before.body });
    expect((await handle.describe()).runId).toBe(runId);
  });

  test.each(['expired', 'overdue'] as const)('by expiry becomes closed when it is %s', async (state) => {
    const session = await stage.inState(state);
    const before = await recordsOf(session);
    expect(await close(session, { reason: 'after all' })).toMatchObject({
      status: 200,
      body: { closedReason: 'after all' },
    });
    // Whoever reads `out` is told once that it is over.
    expect(await recordsOf(session)).toHaveLength(Math.max(1, before.length));
    expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
  });
});

describe('at the same time', () => {
  test.each(openStates)('twenty closes of a session that is %s leave one reason, told to all', async (state) => {
    const session = await stage.inState(state);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => close(session, { reason: `reason ${index}` })),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(new Set(answers.map(({ body }) => `${body.closedAt} ${body.closedReason}`)).size).toBe(1);
    expect((await recordsOf(session)).filter(({ stream }) => stream === 'out')).toHaveLength(1);
    await untilEnded(stage.client, session);
    await stage.rows(session);
  });

  test('closes and creates: every create is of the open session or refused, and no run starts after the close', async () => {
    const session = await stage.inState('open idle');
    const { externalId } = session;
    const creates = Array.from({ length: 10 }, () => stage.api.create({ externalId, taskIdentifier: 'quick' }));
    const closes = Array.from({ length: 10 }, () => close(session));
    const answers = await Promise.all([...creates, ...closes]);
    expect(answers.slice(10).map(({ status }) => status)).toEqual(closes.map(() => 200));
    for (const { status, body } of answers.slice(0, 10)) {
      if (status === 200) expect(body.id).toBe(session.id);
      else expect(status).toBe(409);
    }
    const closedAt = Date.parse(answers.at(-1)?.body.closedAt);
    await untilEnded(stage.client, session);
    await stage.rows(session);
    const starts = await stage.database.query<{ created_at: Date }>(
      'SELECT created_at FROM runs WHERE session_id = $1',
      [session.id],
    );
    // I4.
    expect(starts.filter(({ created_at: at }) => at.getTime() > closedAt)).toEqual([]);
  });
});

describe('a request that says too much or nothing sensible', () => {
  const tooLong = 'x'.repeat(257);
  test.each([
    ['a reason that is too long', { reason: tooLong }, 400, /reason/],
    ['a reason that is no text', { reason: 7 }, 400, /reason/],
    ['a reason with U+0000', { reason: 'a\0b' }, 400, /reason/],
    ['a run id that is none', { callingRunId: 'session_1' }, 400, /callingRunId/],
    ['a list', [], 400, /object/],
    ['a body that is no JSON', '{', 400, /^Invalid JSON$/],
    ['a body of more than 1 KB', { other: 'x'.repeat(1_024) }, 413, /^Request body too large$/],
  ])('%s', async (_, body, status, error) => {
    const session = await stage.inState('open idle');
    expect(await close(session, body)).toMatchObject({ status, body: { error: expect.stringMatching(error) } });
    expect((await stage.api.session(session.id)).body.closedAt).toBeNull();
  });

  test('a session that is not there', async () => {
    expect(await close({ externalId: 'nobody' })).toMatchObject({ status: 404, body: { error: 'Session not found' } });
  });
});
