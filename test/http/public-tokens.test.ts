/** Tokens that the server signs: POST /api/v1/auth/public-tokens, and the claims that clients sign for themselves. */
import { auth, configure } from '@trigger.dev/sdk';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../harness/api.ts';
import { openSessionStage, type SessionStage } from './session-stage.ts';

let stage: SessionStage;

beforeAll(async () => {
  stage = await openSessionStage();
  await stage.api.create({ externalId: 'mine', taskIdentifier: 'quick' });
  await stage.api.create({ externalId: 'other', taskIdentifier: 'quick' });
});

afterAll(async () => {
  await stage?.stop();
});

const order = (body: unknown): Promise<Answer> =>
  stage.api.call('/api/v1/auth/public-tokens', { method: 'POST', ...(body === undefined ? {} : { body }) });
const scopes = ['read:sessions:mine'];
const nowSeconds = () => Math.floor(Date.now() / 1_000);

/** Seconds that an ordered token has left, to the second or so. */
async function expectTtl(expirationTime: string | number | undefined, seconds: number): Promise<void> {
  const before = nowSeconds();
  const { status, body } = await order({ scopes, expirationTime });
  expect(status).toBe(200);
  const { exp = 0 } = decodeJwt(body.token);
  expect(exp).toBeGreaterThanOrEqual(before + seconds);
  expect(exp).toBeLessThanOrEqual(nowSeconds() + seconds);
}

describe('a token', () => {
  test('opens what it names and nothing else, in its environment', async () => {
    const { body } = await order({ scopes });
    expect(Object.keys(body)).toEqual(['token']);
    const statusOf = async (key: string) => (await stage.api.session(key, { key: body.token })).status;
    expect(await statusOf('mine')).toBe(200);
    expect(await statusOf('other')).toBe(403);
    const prod = await stage.api.create({ externalId: 'mine', taskIdentifier: 'quick' }, { key: stage.site.prodKey });
    expect(await statusOf(prod.body.id)).toBe(404);
  });

  test('carries the claims of the protocol, and what was asked for', async () => {
    const claims = await stage.api.call('/api/v1/auth/jwt/claims', { method: 'POST' });
    const { body } = await order({ scopes, realtime: { skipColumns: ['payload'] }, oneTimeUse: false });
    expect(decodeJwt(body.token)).toMatchObject({
      ...claims.body,
      iss: 'https://id.trigger.dev',
      aud: 'https://api.trigger.dev',
      scopes,
      realtime: { skipColumns: ['payload'] },
    });
  });

  test.each([
    [undefined, 900],
    ['15m', 900],
    ['15 minutes', 900],
    ['1.5 hours', 5_400],
    ['2h from now', 7_200],
    ['+ 1 day', 86_400],
    ['30D', 2_592_000],
  ])('expires after %s', expectTtl);

  test('expires at the Unix second that was given', async () => {
    const exp = nowSeconds() + 1_234;
    expect(decodeJwt((await order({ scopes, expirationTime: exp })).body.token).exp).toBe(exp);
  });
});

describe('400', () => {
  const past = 'Expiration time must be in the future';
  const far = 'Expiration time cannot exceed 30 days';
  test.each([
    ['soon', 'Invalid expiration time'],
    ['15', 'Invalid expiration time'],
    ['-1h ago', 'Invalid expiration time'],
    ['-1h', past],
    ['1h ago', past],
    ['0s', past],
    [0, past],
    [-5, past],
    ['31 days', far],
    ['1y', far],
    [4_102_444_800_000, far],
  ])('an expiration time of %j', async (expirationTime, error) => {
    const { status, body } = await order({ scopes, expirationTime });
    expect({ status, body }).toEqual({ status: 400, body: { error } });
  });

  test.each([
    ['no scopes', {}, 'scopes'],
    ['an empty list of scopes', { scopes: [] }, 'scopes'],
    ['a scope that is no text', { scopes: [7] }, 'scopes.0'],
    ['a time that is neither', { scopes, expirationTime: true }, 'expirationTime'],
    ['a use that is no truth value', { scopes, oneTimeUse: 'once' }, 'oneTimeUse'],
    ['scopes that no header can carry', { scopes: Array.from({ length: 100 }, () => 'x'.repeat(200)) }, 'scopes'],
    ['a list', [], ''],
  ])('%s', async (_, body, path) => {
    const answer = await order(body);
    expect(answer).toMatchObject({ status: 400, body: { error: 'Invalid request body', issues: expect.any(Array) } });
    expect(answer.body.issues[0].path.join('.')).toBe(path);
  });

  test.each([
    ['no body', undefined],
    ['no JSON', '{'],
  ])('%s', async (_, body) => {
    const { status, body: told } = await order(body);
    expect({ status, told }).toEqual({ status: 400, told: { error: 'Invalid request body' } });
  });
});

test('the official client signs a token for itself that this server takes', async () => {
  configure({ baseURL: stage.server.url, accessToken: stage.site.devKey });
  const token = await auth.createPublicToken({ scopes: { read: { sessions: 'mine' } }, expirationTime: '1h' });
  expect((await stage.api.session('mine', { key: token })).status).toBe(200);
  expect((await stage.api.session('other', { key: token })).status).toBe(403);
});
