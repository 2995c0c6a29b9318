/** V14 from outside: attempts that were thought dead go on writing with what they hold, and nothing of it is stored. */
import { auth, sessions } from '@trigger.dev/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { credentialOf, inputOf, openSession } from './wire.ts';

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

/** Of a run that no worker serves: what it writes is up to the test. */
async function create(externalId: string): Promise<{ runId: string }> {
  const { body } = await server.api.create({ externalId, taskIdentifier: 'nobody' });
  return { runId: body.runId };
}

async function claim(runId: string, attempt: number): Promise<string> {
  const { body } = await server.api.call(`/api/v1/runs/${runId}/claim`, { method: 'POST', body: { attempt } });
  return body.attemptKey;
}

const asAttempt = <Value>(key: string, call: () => Promise<Value>): Promise<Value> =>
  auth.withAuth({ baseURL: server.url, accessToken: key }, call) as Promise<Value>;

const written = async (externalId: string): Promise<unknown[]> => {
  const { body } = await server.api.call(`/realtime/v1/sessions/${externalId}/out/records`);
  return body.records.map(({ data }: { data: unknown }) => data);
};

const refused = { status: 403, code: 'permission_denied' };
const overHttp = (externalId: string, key: string) =>
  server.api.call(`/realtime/v1/sessions/${externalId}/out/append`, { method: 'POST', key, body: '"zombie"' });

test('an attempt writes until the next one claims, and nothing with what it holds from before', async () => {
  const { runId } = await create('zombie-claim');
  const first = await claim(runId, 1);
  const { out } = sessions.open('zombie-claim');
  await asAttempt(first, () => out.append('mine'));
  const open = await openSession(await credentialOf(server, 'zombie-claim', { key: first }));
  const second = await claim(runId, 2);

  open.send(inputOf(['zombie']));
  expect(await open.next()).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
  open.close();
  await expect(asAttempt(first, () => out.append('zombie'))).rejects.toMatchObject(refused);
  await expect(asAttempt(first, () => out.writeControl('turn-complete'))).rejects.toMatchObject(refused);
  await expect(asAttempt(first, () => out.trimTo(1))).rejects.toMatchObject(refused);
  expect(await overHttp('zombie-claim', first)).toMatchObject({ status: 409, body: { code: 'attempt_fenced' } });

  await asAttempt(second, () => sessions.open('zombie-claim').out.append('theirs'));
  expect(await overHttp('zombie-claim', second)).toMatchObject({ status: 200, body: { seq: 2 } });
  expect(await written('zombie-claim')).toEqual(['mine', 'theirs', '"zombie"']);
});

test('a run that has handed over says so to its readers, and nothing else; an ended one says nothing', async () => {
  const { runId } = await create('zombie-swap');
  const old = await claim(runId, 1);
  const handOver = await server.api.call('/api/v1/sessions/zombie-swap/end-and-continue', {
    method: 'POST',
    body: { callingRunId: runId, reason: 'upgrade' },
  });
  expect(handOver.body.swapped).toBe(true);
  const { out } = sessions.open('zombie-swap');
  await expect(asAttempt(old, () => out.append('zombie'))).rejects.toMatchObject(refused);
  await expect(asAttempt(old, () => out.writeControl('turn-complete'))).rejects.toMatchObject(refused);
  expect(await asAttempt(old, () => out.writeControl('upgrade-required'))).toMatchObject({ lastEventId: '0' });

  await server.api.cancel(runId);
  await server.api.runWhen(runId, ({ isCompleted }) => isCompleted);
  await expect(asAttempt(old, () => out.writeControl('upgrade-required'))).rejects.toMatchObject(refused);
  const next = await claim(handOver.body.runId, 1);
  await asAttempt(next, () => sessions.open('zombie-swap').out.append('next run'));
  expect(await written('zombie-swap')).toEqual(['', 'next run']);
});

test('the run of a closed session finishes its turn; afterwards nobody writes', async () => {
  const { runId } = await create('zombie-close');
  const key = await claim(runId, 1);
  await server.api.call('/api/v1/sessions/zombie-close/close', { method: 'POST', body: {} });
  const { out } = sessions.open('zombie-close');
  await asAttempt(key, () => out.append('last words'));
  await asAttempt(key, () => out.writeControl('turn-complete'));
  expect(await overHttp('zombie-close', site.devKey)).toMatchObject({ status: 409, body: { code: 'session_closed' } });
  await server.api.cancel(runId);
  await server.api.runWhen(runId, ({ isCompleted }) => isCompleted);
  await expect(asAttempt(key, () => out.append('zombie'))).rejects.toMatchObject(refused);
  expect(await written('zombie-close')).toEqual(['', 'last words', '']);
});
