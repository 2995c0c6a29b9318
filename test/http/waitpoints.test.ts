/** Waits of runs over HTTP (protocol sections 8.1 and 8.2): bodies, statuses, and the call that is held until a record comes. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { hearsSeqs, openEventStream } from '../harness/event-stream.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';

let site: Site;
let server: TestServer;
beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
});
afterAll(async () => {
  await server?.stop();
  await site?.remove();
});

let sessions = 0;

async function create() {
  sessions += 1;
  const { body } = await server.api.create({ externalId: `waits/${sessions}` });
  return body as { id: string; externalId: string; runId: string };
}

const register = (runId: string, body: unknown) =>
  server.api.call(`/api/v1/runs/${runId}/session-streams/wait`, { method: 'POST', body });

const hold = (runId: string, waitpointId: string) =>
  server.api.call(`/engine/v1/runs/${runId}/waitpoints/tokens/${waitpointId}/wait`, { method: 'POST' });

const append = (key: string, text: string, io = 'in') =>
  server.api.call(`/realtime/v1/sessions/${encodeURIComponent(key)}/${io}/append`, { method: 'POST', body: text });

test('a run waits by either form of the key and is woken by the next record, which can be read by then', async () => {
  const session = await create();
  const { runId } = session;
  for (const [round, key] of [session.id, session.externalId].entries()) {
    const registered = await register(runId, { session: key, io: 'in', timeout: '1h', lastSeqNum: round - 1 });
    expect([registered.status, registered.body]).toEqual([
      200,
      { waitpointId: expect.stringMatching(/^waitpoint_[0-9a-z]{25}$/), isCached: false },
    ]);
    const held = hold(runId, registered.body.waitpointId);
    const text = `{"round":${round}}`;
    expect((await append(session.externalId, text)).body).toEqual({ ok: true, seq: round });
    const woken = {
      success: true,
      status: 'COMPLETED',
      output: text,
      outputType: 'application/json',
      outputIsError: false,
    };
    expect((await held).body).toEqual(woken);
    expect((await hold(runId, registered.body.waitpointId)).body).toEqual(woken);
  }
});

test('check 10: suspended, appended to a moment later and resumed, it gets each message once', async () => {
  const { id, runId } = await create();
  for (let seq = 0; seq < 20; seq += 1) {
    const { body } = await register(runId, { session: id, io: 'in', lastSeqNum: seq - 1 });
    const held = hold(runId, body.waitpointId);
    await append(id, `${seq}`);
    expect((await held).body).toMatchObject({ status: 'COMPLETED', output: `${seq}` });
    const headers = { 'Last-Event-ID': `${seq - 1}` };
    const tail = await openEventStream(`${server.url}/realtime/v1/sessions/${id}/in`, { key: site.devKey, headers });
    await hearsSeqs(tail, [seq]);
    tail.leave();
  }
});

test('a wait past its timeout is an error', async () => {
  const { id, runId } = await create();
  const { body } = await register(runId, { session: id, io: 'in', timeout: '1s' });
  expect((await hold(runId, body.waitpointId)).body).toEqual({
    success: true,
    status: 'TIMED_OUT',
    output: '{"message":"Timed out"}',
    outputType: 'application/json',
    outputIsError: true,
  });
});

test('a close wakes the run with the record that tells it so', async () => {
  const { id, externalId, runId } = await create();
  const { body } = await register(runId, { session: id, io: 'in' });
  const held = hold(runId, body.waitpointId);
  await server.api.call(`/api/v1/sessions/${id}/close`, { method: 'POST', body: {} });
  const text = JSON.stringify({ kind: 'message', payload: { chatId: externalId, trigger: 'close' } });
  expect((await held).body).toMatchObject({ status: 'COMPLETED', output: text, outputIsError: false });
  const again = await register(runId, { session: id, io: 'in', lastSeqNum: 0 });
  expect((await hold(runId, again.body.waitpointId)).body).toMatchObject({ outputIsError: true });
});

test('a key names one wait', async () => {
  const { id, runId } = await create();
  const keyed = { session: id, io: 'in', idempotencyKey: 'k'.repeat(2_048), idempotencyKeyTTL: '1h' };
  const answers = await Promise.all(Array.from({ length: 10 }, () => register(runId, keyed)));
  expect(new Set(answers.map(({ body }) => body.waitpointId)).size).toBe(1);
  expect(answers.filter(({ body }) => !body.isCached)).toHaveLength(1);
});

test('whoever leaves a held call, and a server that stops, leave no waiter', async () => {
  const { id, runId } = await create();
  const { body } = await register(runId, { session: id, io: 'in' });
  const path = `${server.url}/engine/v1/runs/${runId}/waitpoints/tokens/${body.waitpointId}/wait`;
  const leaving = new AbortController();
  const headers = { Authorization: `Bearer ${site.devKey}` };
  const left = fetch(path, { method: 'POST', headers, signal: leaving.signal });
  left.catch(() => undefined);
  leaving.abort();
  await expect(left).rejects.toThrow(/abort/);
  const other = await startTestServer({ site });
  const held = fetch(path.replace(server.url, other.url), { method: 'POST', headers });
  await vi.waitFor(async () => expect((await other.api.call('/healthz')).status).toBe(200));
  await other.stop();
  // Answered, or cut before it was heard: never left open.
  const answer = await held.then(
    (response) => response.json(),
    () => null,
  );
  if (answer !== null) expect(answer).toEqual({ success: true, status: 'WAITING' });
});

test('a run waits on a session that does not exist yet, and is woken by its first record', async () => {
  const { runId } = await create();
  const externalId = 'waits/not yet %2F 🌱';
  const keyed = { session: externalId, io: 'in', idempotencyKey: 'early', tags: 'one', timeout: '1h' };
  const registered = await register(runId, keyed);
  expect([registered.status, registered.body.isCached]).toEqual([200, false]);
  expect((await register(runId, keyed)).body).toEqual({ ...registered.body, isCached: true });
  const late = await register(runId, { session: externalId, io: 'in', timeout: '1s' });
  expect((await hold(runId, late.body.waitpointId)).body).toMatchObject({ status: 'TIMED_OUT', outputIsError: true });
  const held = hold(runId, registered.body.waitpointId);
  await server.api.create({ externalId });
  await append(externalId, 'hello');
  expect((await held).body).toMatchObject({ status: 'COMPLETED', output: 'hello', outputIsError: false });
  expect((await register(runId, keyed)).body).toEqual({ ...registered.body, isCached: true });
});

describe('refuses', () => {
  const wait = (changes: Record<string, unknown>) => ({ session: 'nobody', io: 'in', ...changes });
  const tags = (count: number) => Array.from({ length: count }, (_, index) => `tag-${index}`);

  test.each([
    [wait({ io: 'both' }), 400, /^Validation error: .* at "io"/],
    [wait({ session: '' }), 400, /at "session"/],
    [wait({ timeout: 'soon' }), 400, /^Validation error: Expected a duration .* at "timeout"/],
    [wait({ idempotencyKeyTTL: '2026-01-01' }), 400, /at "idempotencyKeyTTL"/],
    [wait({ idempotencyKey: 'k'.repeat(2_049) }), 400, /at "idempotencyKey"/],
    [wait({ lastSeqNum: -2 }), 400, /at "lastSeqNum"/],
    [wait({ lastSeqNum: 0.5 }), 400, /at "lastSeqNum"/],
    [wait({ tags: ['x'.repeat(129)] }), 400, /at "tags/],
    [wait({ tags: tags(11) }), 422, /^Waitpoints can only have 10 tags, you're trying to set 11\.$/],
    [wait({ session: 'session_x', tags: 'one' }), 404, /^Session not found$/],
    [wait({ session: `session_${'0'.repeat(25)}` }), 404, /^Session not found$/],
    ['', 400, /^Request body is empty$/],
    ['{', 400, /^Invalid JSON$/],
    [wait({ filler: 'x'.repeat(10_240) }), 413, /^Request body too large$/],
  ])('%j with %s', async (body, status, error) => {
    const { runId } = await create();
    const answer = await register(runId, body);
    expect([answer.status, answer.body.error]).toEqual([status, expect.stringMatching(error)]);
  });

  test('what does not exist, and runs that are over', async () => {
    const { id, runId } = await create();
    const nobody = `run_${'0'.repeat(25)}`;
    const missing = await register(nobody, { session: id, io: 'in' });
    expect([missing.status, missing.body]).toEqual([404, { error: 'Run not found' }]);
    expect((await register('run-1', { session: id, io: 'in' })).body).toEqual({ error: 'Run not found' });
    const { body } = await register(runId, { session: id, io: 'in' });
    for (const waitpointId of [`waitpoint_${'0'.repeat(25)}`, 'x']) {
      const unknown = await hold(runId, waitpointId);
      expect([unknown.status, unknown.body]).toEqual([404, { error: 'Waitpoint not found' }]);
    }
    expect((await hold(nobody, body.waitpointId)).body).toEqual({ error: 'Run not found' });
    const hidden = await server.api.call(`/engine/v1/runs/${runId}/waitpoints/tokens/${body.waitpointId}/wait`, {
      method: 'POST',
      key: site.prodKey,
    });
    expect([hidden.status, hidden.body]).toEqual([404, { error: 'Run not found' }]);
    await server.api.cancel(runId);
    const over = await register(runId, { session: id, io: 'in' });
    expect([over.status, over.body.code, over.headers.get('x-should-retry')]).toEqual([409, 'run_superseded', 'false']);
  });
});
