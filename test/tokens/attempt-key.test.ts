/** The credential that a claim answers, as it is made and as it is read back. */
import { decodeProtectedHeader, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { runIdOf, sessionIdOf } from '../../src/domain/ids.ts';
import { attemptKeyTtlSeconds, signAttemptKey, verifyAttemptKey } from '../../src/tokens/attempt-key.ts';
import { importRootKey, signPublicToken, tokenIssuer } from '../../src/tokens/sign.ts';
import { verifyPublicToken } from '../../src/tokens/verify.ts';
import { environmentOf, keyIdOf, ringOf, ringOfRows, storedAdditionalKey, storedKey } from './stored-keys.ts';

const devKey = 'tr_dev_0123456789abcdef';
const ring = ringOf(devKey, 'tr_prod_0123456789abcdef');
const dev = environmentOf('dev');
const attempt = {
  sessionId: sessionIdOf('0'.repeat(25)),
  runId: runIdOf('1'.repeat(25)),
  runNumber: 3,
  attempt: 2,
};

const claimant = { grant: { kind: 'all' }, restrictedKeyId: null } as const;
const owner = { environment: dev, attempt, grant: { kind: 'all' }, keyId: keyIdOf(devKey), mintedBy: null };

const signedAs = (claims: Record<string, unknown>, header: Record<string, unknown> = { typ: 'run+jwt' }) =>
  new SignJWT({
    token_use: 'run',
    sub: dev.id,
    iss: tokenIssuer,
    aud: 'trigger:api',
    exp: Date.now() / 1_000 + 60,
    ...attempt,
    ...claims,
  })
    .setProtectedHeader({ alg: 'HS256', ...header })
    .sign(new TextEncoder().encode(devKey));

test('a key names its environment and its attempt, and is no public token', async () => {
  const key = await signAttemptKey(ring, { environment: dev, attempt, claimant, ttlSeconds: 60 });
  expect(await verifyAttemptKey(ring, key)).toEqual(owner);
  expect(await verifyPublicToken(ring, key)).toEqual({ kind: 'other' });
  expect(decodeProtectedHeader(key).typ).toBe('run+jwt');
  expect(await verifyAttemptKey(ring, await signedAs({}))).toEqual(owner);
});

test('a restricted key that claims gives its attempt what it has itself, for as long as it lives', async () => {
  const additional = `tr_dev_sk_${'a'.repeat(24)}`;
  const grant = { kind: 'scopes', scopes: ['write:tasks:my-chat'] } as const;
  const restricted = { grant, restrictedKeyId: keyIdOf(additional) };
  const rows = [storedKey(devKey), storedAdditionalKey(additional, ...grant.scopes)];
  const keys = ringOfRows(rows);
  const key = await signAttemptKey(keys, { environment: dev, attempt, claimant: restricted, ttlSeconds: 60 });
  expect(await verifyAttemptKey(keys, key)).toEqual({ ...owner, grant, mintedBy: keyIdOf(additional) });
  expect(await verifyAttemptKey(ringOfRows(rows.slice(0, 1)), key)).toBeNull();
});

test('other credentials are left to others', async () => {
  const rootKey = await importRootKey(devKey);
  const token = await signPublicToken({ environment: dev, rootKey, scopes: ['admin'], ttlSeconds: 60 });
  for (const other of [devKey, token, 'a.b.c', '']) expect(await verifyAttemptKey(ring, other)).toBe('other');
});

describe('opens nothing', () => {
  test.each<[string, () => Promise<string>]>([
    ['expired', () => signAttemptKey(ring, { environment: dev, attempt, claimant, ttlSeconds: -1 })],
    ['altered', async () => `${(await signedAs({})).slice(0, -4)}AAAA`],
    ['with the header of a public token', () => signedAs({}, {})],
    ['for another audience', () => signedAs({ aud: 'https://api.trigger.dev' })],
    ['of another environment', () => signedAs({ sub: environmentOf('prod').id })],
    ['of an environment that does not exist', () => signedAs({ sub: environmentOf('stg').id })],
    ['without a run number', () => signedAs({ runNumber: '3' })],
    ['with a run that is none', () => signedAs({ runId: 'run_/' })],
    ['with an attempt before the first', () => signedAs({ attempt: 0 })],
  ])('%s', async (_, make) => {
    expect(await verifyAttemptKey(ring, await make())).toBeNull();
  });
});

test('it outlives the attempt, also one with a long maxDuration', () => {
  const day = 86_400;
  expect(attemptKeyTtlSeconds(null, 0)).toBe(31 * day);
  expect(attemptKeyTtlSeconds(new Date(60_000), 0)).toBe(31 * day);
  expect(attemptKeyTtlSeconds(new Date(365 * day * 1_000), 0)).toBe(366 * day);
});
