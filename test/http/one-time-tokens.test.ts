/** Tokens for one use (protocol sections 2.3 and 8.3): one request gets it, whatever races, and a refusal costs nothing. */
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, createBody } from '../harness/api.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { openSessionStage, type SessionStage } from './session-stage.ts';

let stage: SessionStage;
let other: TestServer;

beforeAll(async () => {
  stage = await openSessionStage();
  // A second API on the same rows: as far from the first as another process.
  other = await startTestServer({ site: stage.site, sessionWorker: false });
});

afterAll(async () => {
  await other?.stop();
  await stage?.stop();
});

const used = { status: 401, body: { error: 'Public Access Token was already used' } };

async function order(...scopes: string[]): Promise<string> {
  const body = { scopes, oneTimeUse: true };
  const answer = await stage.api.call('/api/v1/auth/public-tokens', { method: 'POST', body });
  expect(answer.status).toBe(200);
  return answer.body.token;
}

const append = (api: Api, key: string, token: string, text = '{"hello":1}') =>
  api.call(`/realtime/v1/sessions/${key}/in/append`, { method: 'POST', key: token, body: text });

describe('a token for one use', () => {
  test('says so, and is good once', async () => {
    const { externalId } = await stage.open('quick');
    const token = await order(`read:sessions:${externalId}`);
    expect(decodeJwt(token)).toMatchObject({ otu: true, pub: true });
    expect((await stage.api.session(externalId, { key: token })).status).toBe(200);
    expect(await stage.api.session(externalId, { key: token })).toMatchObject(used);
    expect(await other.api.session(externalId, { key: token })).toMatchObject(used);
  });

  test('lets one of many appends through, in two processes at once', async () => {
    const { externalId, id } = await stage.open('quick');
    const token = await order(`write:sessions:${externalId}`);
    const apis = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? stage.api : other.api));
    const answers = await Promise.all(apis.map((api) => append(api, externalId, token)));
    expect(answers.map(({ status }) => String(status)).toSorted()).toEqual(['200', ...Array(19).fill('401')]);
    const stored = await stage.database.query('SELECT 1 FROM records WHERE session_id = $1 AND from_client', [id]);
    expect(stored).toHaveLength(1);
  });

  test('makes one session of many creates without an external id', async () => {
    const token = await order('write:sessions');
    const body = createBody({ taskIdentifier: 'quick' });
    const asked = [stage.api, other.api, stage.api, other.api].map((api) =>
      api.call('/api/v1/sessions', { method: 'POST', key: token, body }),
    );
    const statuses = (await Promise.all(asked)).map(({ status }) => String(status));
    expect(statuses.toSorted()).toEqual(['201', '401', '401', '401']);
  });

  test('is not spent by a request that was refused', async () => {
    const { externalId } = await stage.open('quick');
    const token = await order(`write:sessions:${externalId}`);
    const refused = [
      await append(stage.api, 'another-one', token),
      await stage.api.session(externalId, { key: token }),
      await stage.api.call(`/realtime/v1/sessions/${externalId}/sideways/append`, { method: 'POST', key: token }),
      await append(stage.api, externalId, token, 'x'.repeat(1_048_577)),
      await stage.api.call('/api/v1/auth/jwt/claims', { method: 'POST', key: token }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 400, 413, 401]);
    expect((await append(stage.api, externalId, token)).status).toBe(200);
    expect(await append(stage.api, externalId, token)).toMatchObject(used);
  });

  test('opens one tail, which goes on', async () => {
    const { externalId } = await stage.open('quick');
    const token = await order(`read:sessions:${externalId}`);
    const leaving = new AbortController();
    const follow = () =>
      fetch(`${stage.server.url}/realtime/v1/sessions/${externalId}/out`, {
        headers: { Authorization: `Bearer ${token}` },
        signal: leaving.signal,
      });
    const [first, second] = [await follow(), await follow()];
    expect([first.status, second.status]).toEqual([200, 401]);
    leaving.abort();
  });

  test('a preflight is no use of it', async () => {
    const { externalId } = await stage.open('quick');
    const token = await order(`read:sessions:${externalId}`);
    const headers = { Origin: 'https://app.example', Authorization: `Bearer ${token}` };
    const preflight = await stage.api.call(`/api/v1/sessions/${externalId}`, { method: 'OPTIONS', headers, key: null });
    expect(preflight.status).toBe(200);
    expect((await stage.api.session(externalId, { key: token })).status).toBe(200);
  });
});
