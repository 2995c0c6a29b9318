import { generateKeyPairSync } from 'node:crypto';
import { importPKCS8, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { bearerBytesMax } from '../../src/domain/limits.ts';
import { importRootKey, signPublicToken, tokenAudience, tokenIssuer } from '../../src/tokens/sign.ts';
import { verifyPublicToken } from '../../src/tokens/verify.ts';
import { environmentOf, keyIdOf, ringOf, ringOfRows, storedAdditionalKey, storedKey } from './stored-keys.ts';

const devKey = 'tr_dev_0123456789abcdef';
const olderDevKey = 'tr_dev_fedcba9876543210';
const prodKey = 'tr_prod_0123456789abcdef';
const ring = ringOf(devKey, olderDevKey, prodKey);
const dev = environmentOf('dev');
const scopes = ['read:sessions:chat_1', 'write:sessions:chat_1'];

const nowSeconds = () => Math.floor(Date.now() / 1_000);
const claims = (changes: Record<string, unknown> = {}): JWTPayload => ({
  sub: dev.id,
  pub: true,
  scopes,
  iss: tokenIssuer,
  aud: tokenAudience,
  exp: nowSeconds() + 60,
  ...changes,
});

/** As a client signs for itself: the key is the UTF-8 bytes of its secret key. */
const signed = (payload: JWTPayload, secretKey = devKey, header: Record<string, unknown> = {}): Promise<string> =>
  new SignJWT(payload).setProtectedHeader({ alg: 'HS256', ...header }).sign(new TextEncoder().encode(secretKey));

describe('tokens that are good', () => {
  test('a minted token verifies, for its environment and with its scopes', async () => {
    const rootKey = await importRootKey(devKey);
    const token = await signPublicToken({ environment: dev, rootKey, scopes, ttlSeconds: 3_600 });
    expect(await verifyPublicToken(ring, token)).toEqual({
      kind: 'valid',
      environment: dev,
      scopes,
      keyId: keyIdOf(devKey),
      mintedBy: null,
      once: null,
    });
  });

  test('minted tokens are fresh: no two of one second are the same', async () => {
    const order = { environment: dev, rootKey: await importRootKey(devKey), scopes, ttlSeconds: 3_600 };
    const tokens = await Promise.all(Array.from({ length: 50 }, () => signPublicToken(order)));
    expect(new Set(tokens).size).toBe(50);
  });

  test.each([devKey, olderDevKey])('any live root key of the environment may have signed it', async (secretKey) => {
    expect((await verifyPublicToken(ring, await signed(claims(), secretKey))).kind).toBe('valid');
  });

  test('scopes that are no list of texts grant nothing', async () => {
    for (const odd of ['admin', { 0: 'admin' }, 7, null]) {
      expect(await verifyPublicToken(ring, await signed(claims({ scopes: odd })))).toMatchObject({ scopes: [] });
    }
    const mixed = await signed(claims({ scopes: ['read:runs', 7, null, ['admin']] }));
    expect(await verifyPublicToken(ring, mixed)).toMatchObject({ scopes: ['read:runs'] });
  });
});

describe('a token for one use', () => {
  const onceOf = async (token: string) => {
    const verdict = await verifyPublicToken(ring, token);
    return verdict.kind === 'valid' && verdict.once !== null ? Buffer.from(verdict.once.digest).toString('hex') : null;
  };

  test('is known by what its signature covers, and another token is another one', async () => {
    const [first, second] = [await signed(claims({ otu: true })), await signed(claims({ otu: true, jti: 'other' }))];
    expect(await onceOf(first)).toMatch(/^[0-9a-f]{64}$/);
    expect(await onceOf(first)).not.toBe(await onceOf(second));
  });

  test('is the same one however its signature is spelled', async () => {
    const token = await signed(claims({ otu: true }));
    // 32 bytes are 42 digits and a half: the last digit has two bits that nobody reads.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(token.at(-1) ?? '');
    const spellings = [1, 2, 3].map((bits) => token.slice(0, -1) + alphabet[last ^ bits]);
    const known = await onceOf(token);
    for (const spelling of spellings) expect([known, null]).toContain(await onceOf(spelling));
  });

  test.each([['true'], [1], [false], [null]])('is marked by true and by nothing else: %j', async (otu) => {
    expect(await onceOf(await signed(claims({ otu })))).toBeNull();
  });
});

describe('a token that an additional key has ordered', () => {
  const additionalKey = `tr_dev_sk_${'a'.repeat(24)}`;
  const token = async () => {
    const rootKey = await importRootKey(devKey);
    return signPublicToken({ environment: dev, rootKey, scopes, ttlSeconds: 60, mintedBy: keyIdOf(additionalKey) });
  };

  test('names it, and is good while that key is', async () => {
    const keys = ringOfRows([storedKey(devKey), storedAdditionalKey(additionalKey, 'read:sessions')]);
    expect(await verifyPublicToken(keys, await token())).toMatchObject({
      kind: 'valid',
      mintedBy: keyIdOf(additionalKey),
    });
  });

  test('is over when that key is', async () => {
    expect(await verifyPublicToken(ringOfRows([storedKey(devKey)]), await token())).toEqual({ kind: 'invalid' });
  });

  test('cannot be signed with the key itself', async () => {
    const keys = ringOfRows([storedKey(devKey), storedAdditionalKey(additionalKey, 'admin')]);
    expect(await verifyPublicToken(keys, await signed(claims(), additionalKey))).toEqual({ kind: 'invalid' });
  });
});

describe('tokens that are refused', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });

  test.each<[string, () => Promise<string> | string]>([
    ['expired', () => signed(claims({ exp: nowSeconds() - 1 }))],
    ['without an end', () => signed(claims({ exp: undefined }))],
    ['not yet valid', () => signed(claims({ nbf: nowSeconds() + 60 }))],
    ['for another audience', () => signed(claims({ aud: 'https://elsewhere.example' }))],
    ['without an audience', () => signed(claims({ aud: undefined }))],
    ['of another issuer', () => signed(claims({ iss: 'https://elsewhere.example' }))],
    ['signed with a key of another environment', () => signed(claims(), prodKey)],
    ['naming another environment than that of its key', () => signed(claims({ sub: environmentOf('prod').id }))],
    ['signed with an unknown key', () => signed(claims(), 'tr_dev_unknown000000000')],
    ['without a signature (alg none)', () => new UnsecuredJWT(claims()).encode()],
    ['with alg none and a made-up signature', () => `${new UnsecuredJWT(claims()).encode()}AAAA`],
    ['of HS512', () => signed(claims(), devKey, { alg: 'HS512' })],
    ['with an unknown critical header', () => signedCritical()],
    [
      'of RS256 by a stranger',
      async () =>
        new SignJWT(claims()).setProtectedHeader({ alg: 'RS256' }).sign(await importPKCS8(privateKey, 'RS256')),
    ],
    ['longer than may be read', () => signed(claims({ scopes: ['x'.repeat(bearerBytesMax)] }))],
  ])('%s', async (_, make) => {
    expect(await verifyPublicToken(ring, await make())).toEqual({ kind: 'invalid' });
  });

  /** The library refuses to sign what it does not understand, so the header is put on by hand. */
  async function signedCritical(): Promise<string> {
    const token = await signed(claims());
    const head = Buffer.from(JSON.stringify({ alg: 'HS256', crit: ['odd'], odd: true })).toString('base64url');
    return [head, ...token.split('.').slice(1)].join('.');
  }

  test('RS256 with the secret key as its key, and HS256 with a public key as its secret', async () => {
    const [, payload] = (await signed(claims())).split('.');
    const head = Buffer.from(JSON.stringify({ alg: 'RS256' })).toString('base64url');
    const confused = await signed(claims(), devKey);
    expect(await verifyPublicToken(ring, `${head}.${payload}.${confused.split('.')[2]}`)).toEqual({ kind: 'invalid' });
    expect(await verifyPublicToken(ring, await signed(claims(), publicKey))).toEqual({ kind: 'invalid' });
  });

  test('any altered part of a good token', async () => {
    const parts = (await signed(claims())).split('.');
    const [head = '', payload = '', signature = ''] = parts;
    const stronger = Buffer.from(JSON.stringify(claims({ scopes: ['admin'] }))).toString('base64url');
    expect(await verifyPublicToken(ring, `${head}.${stronger}.${signature}`)).toEqual({ kind: 'invalid' });
    const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    expect(await verifyPublicToken(ring, `${head}.${payload}.${flipped}`)).toEqual({ kind: 'invalid' });
    expect(await verifyPublicToken(ring, `${head}.${payload}.`)).toEqual({ kind: 'invalid' });
  });

  test.each([
    ['no subject', undefined],
    ['an empty subject', ''],
    ['a subject that is no text', 7],
    ['an unknown environment', 'env_unknown'],
    ['a prototype key', '__proto__'],
  ])('%s: the token belongs to nobody', async (_, sub) => {
    expect(await verifyPublicToken(ring, await signed({ ...claims(), sub: sub as string }))).toEqual({
      kind: 'unowned',
    });
  });

  test.each([
    ['a secret key', () => devKey],
    ['two segments', () => 'a.b'],
    ['four segments', () => 'a.b.c.d'],
    ['three segments of nonsense', () => 'a.b.c'],
    ['a token that is not public', () => signed(claims({ pub: undefined }))],
    ['a token whose pub is not true', () => signed(claims({ pub: 'true' }))],
  ])('%s is no public token at all', async (_, make) => {
    expect(await verifyPublicToken(ring, await make())).toEqual({ kind: 'other' });
  });
});
