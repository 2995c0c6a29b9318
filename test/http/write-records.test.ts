/** POST .../out/records and .../cursor: what a task of any language writes, once, and how far it has read. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OpenedSession } from '../workflows/stage.ts';
import { openSessionStage, type SessionStage } from './session-stage.ts';

let stage: SessionStage;
beforeAll(async () => {
  stage = await openSessionStage();
});
afterAll(() => stage?.stop());

const pathOf = (session: OpenedSession, rest = 'out/records') => `/realtime/v1/sessions/${session.id}/${rest}`;

const write = (
  session: OpenedSession,
  records: readonly unknown[],
  { rest = 'out/records', key = stage.site.devKey } = {},
) => stage.api.call(pathOf(session, rest), { method: 'POST', body: { records }, key });

const readOut = async (session: OpenedSession, rest = 'out/records') =>
  (await stage.api.call(pathOf(session, rest))).body.records;

const consumedOf = async (session: OpenedSession) => (await stage.rows(session)).gate['consumed'];

const say = (session: OpenedSession, text: string) =>
  stage.api.call(pathOf(session, 'in/append'), { method: 'POST', body: text });

/** A session whose first run is claimed by the test, beside the worker that has it. */
async function claimed(): Promise<OpenedSession & { attemptKey: string }> {
  const session = await stage.inState('open running');
  const claim = await stage.api.call(`/api/v1/runs/${session.runId}/claim`, { method: 'POST', body: { attempt: 1 } });
  return { ...session, attemptKey: claim.body.attemptKey };
}

const turnComplete = (seq: number | string, id?: string) => ({
  ...(id === undefined ? {} : { id }),
  headers: [
    ['trigger-control', 'turn-complete'],
    ['session-in-event-id', String(seq)],
  ],
});

const commit = (session: OpenedSession, seq: unknown, key = stage.site.devKey) =>
  stage.api.call(`/api/v1/runs/${session.runId}/cursor`, { method: 'POST', body: { seq }, key });

describe('written records', () => {
  test('are read as they were written, in their order, each once for its id', async () => {
    const session = await stage.inState('open running');
    const records = [
      { id: 'a', data: { type: 'text', n: [1, null, 'é\u0000'] } },
      { id: 'b', data: 'text' },
      { id: 'c', headers: [['trigger-control', 'chapter']] },
    ];
    expect(await write(session, records)).toMatchObject({ status: 200, body: { ok: true, seqs: [0, 1, 2] } });
    const again = await write(session, [
      { id: 'b', data: 'other' },
      { id: 'd', data: null },
      { id: 'd', data: 1 },
    ]);
    expect(again.body).toEqual({ ok: true, seqs: [1, 3, 3] });
    expect(await readOut(session)).toEqual([
      { seqNum: 0, id: 'a', data: { type: 'text', n: [1, null, 'é\u0000'] } },
      { seqNum: 1, id: 'b', data: 'text' },
      { seqNum: 2, id: '', data: '', headers: [['trigger-control', 'chapter']] },
      { seqNum: 3, id: 'd', data: null },
    ]);
  });

  test('without ids are never repetitions, and get ids that differ', async () => {
    const session = await stage.inState('open running');
    await write(session, [{ data: 1 }, { data: 1 }]);
    await write(session, [{ data: 1 }], { rest: 'channels/tools/out/records' });
    const records = await readOut(session);
    expect(records).toMatchObject([{ data: 1 }, { data: 1 }]);
    expect(records[0].id).not.toBe(records[1].id);
    expect(await readOut(session, 'channels/tools/out/records')).toMatchObject([{ seqNum: 0, data: 1 }]);
  });

  test.each([
    ['none', []],
    ['too many', Array.from({ length: 501 }, () => ({ data: 1 }))],
    ['an id that is none', [{ data: 1, id: '' }]],
    ['a command', [{ headers: [['', 'trim']] }]],
    ['a header that is no pair', [{ headers: [['a']] }]],
    ['no record', [null]],
  ])('%s are refused', async (_, records) => {
    const session = await stage.inState('open running');
    expect(await write(session, records)).toMatchObject({ status: 400, body: { error: /Validation error/ } });
    expect(await readOut(session)).toEqual([]);
  });

  test('too large are refused whole; to `in`, or to a session that has ended or is nowhere, too', async () => {
    const session = await stage.inState('open running');
    const large = await write(session, [{ data: 'small' }, { data: 'x'.repeat(1_048_570) }]);
    expect(large).toMatchObject({ status: 413, body: { ok: false } });
    expect(await readOut(session)).toEqual([]);
    expect(await write(session, [{ data: 1 }], { rest: 'in/records' })).toMatchObject({ status: 400 });
    const closed = await stage.inState('closed');
    expect(await write(closed, [{ data: 1 }])).toMatchObject({ status: 409, body: { code: 'session_closed' } });
    const absent = { ...session, id: `session_${'0'.repeat(25)}` } as OpenedSession;
    expect((await write(absent, [{ data: 1 }])).status).toBe(404);
  });

  test('of an attempt that has lost its place are refused; those of the one that has it are not (V14)', async () => {
    const session = await claimed();
    const { attemptKey } = session;
    expect((await write(session, [{ data: 1 }], { key: attemptKey })).status).toBe(200);
    const next = await stage.api.call(`/api/v1/runs/${session.runId}/claim`, { method: 'POST', body: { attempt: 2 } });
    const refused = { status: 409, body: { code: 'attempt_fenced' } };
    expect(await write(session, [{ data: 2 }], { key: attemptKey })).toMatchObject(refused);
    expect(await commit(session, 0, attemptKey)).toMatchObject({ status: 409, body: { code: 'run_superseded' } });
    expect((await write(session, [{ data: 3 }], { key: next.body.attemptKey })).body.seqs).toEqual([1]);
  });
});

describe('the cursor', () => {
  test('moves forward only, not beyond what is there, and says where it stands', async () => {
    const session = await claimed();
    for (const text of ['0', '1', '2']) await say(session, text);
    expect((await commit(session, 1, session.attemptKey)).body).toEqual({ cursor: 2 });
    expect((await commit(session, 0)).body).toEqual({ cursor: 2 });
    expect((await commit(session, 700, session.attemptKey)).body).toEqual({ cursor: 3 });
    expect(await consumedOf(session)).toBe(3);
    expect((await commit(session, -1)).status).toBe(400);
  });

  test('moves with a turn-complete, in the same commit; the next claim begins there', async () => {
    const session = await claimed();
    for (const text of ['0', '1', '2']) await say(session, text);
    await write(session, [{ data: 'answer' }, turnComplete(1)], { key: session.attemptKey });
    expect(await consumedOf(session)).toBe(2);
    await write(session, [turnComplete(0), turnComplete('x'), turnComplete(1)], { key: session.attemptKey });
    // A side channel completes no turn of the session.
    await write(session, [turnComplete(2)], { rest: 'channels/a/out/records', key: session.attemptKey });
    const claim = await stage.api.call(`/api/v1/runs/${session.runId}/claim`, { method: 'POST', body: { attempt: 2 } });
    expect(claim.body.cursor).toBe(2);
  });

  test("of a run that is over is nobody's to move", async () => {
    const session = await stage.inState('open idle');
    expect(await commit(session, 0)).toMatchObject({ status: 409, body: { code: 'run_superseded' } });
    expect((await stage.api.call('/api/v1/runs/run_none/cursor', { method: 'POST', body: { seq: 0 } })).status).toBe(
      404,
    );
  });
});
