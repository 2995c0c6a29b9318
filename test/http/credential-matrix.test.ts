/**
 * Protocol section 2.4, route by route: every scope of the table, in a public token and in a restricted key; every
 * credential that is none; and another environment. A route that is in no row fails here.
 */
import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto';
import { importPKCS8, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { routesOf } from '../../src/http/app.ts';
import type { HttpParts } from '../../src/http/http-parts.ts';
import { keysOf } from '../harness/keys.ts';
import { isExecuting } from '../workflows/stage.ts';
import { type RouteRow, rows, type Scope, scopes, type Targets } from './scope-table.ts';
import { openSessionStage, type SessionStage } from './session-stage.ts';

let stage: SessionStage;
let targets: Targets;
/** One restricted key for each scope. */
const restricted = new Map<Scope, string>();
const bad = new Map<string, { readonly bearer: string | null; readonly error: string; readonly isToken: boolean }>();
let inGrace = '';

const unknownKey = 'Invalid API key';
const invalidToken = 'Public Access Token is invalid';

beforeAll(async () => {
  stage = await openSessionStage();
  const own = await stage.open('hold', { triggerConfig: { basePayload: {}, tags: ['blue'] } });
  const other = await stage.open('quick', { externalId: 'another' });
  await stage.api.runWhen(own.runId, isExecuting);
  targets = { own: own.externalId, ownId: own.id, otherId: other.id, runId: own.runId };
  await makeKeys();
  await makeTokens();
});

afterAll(async () => {
  await stage?.stop();
});

const textOf = (scope: Scope): string =>
  scope.replace('{own}', targets.own).replace('{ownId}', targets.ownId).replace('{run}', targets.runId);

async function makeKeys(): Promise<void> {
  const keys = keysOf(stage.site, stage.database);
  for (const scope of scopes) restricted.set(scope, (await keys.additional(textOf(scope))).key);
  const [rotated, over] = [await keys.root(), await keys.root()];
  inGrace = rotated.key;
  await keys.rotate(rotated.id, 3_600);
  await keys.rotate(over.id, 0);
  const gone = await keys.additional('admin');
  // Known by now, so that the last one that was made can order a token before it goes.
  const order = { method: 'POST', key: gone.key, body: { scopes: ['admin'] } };
  const answer = await vi.waitFor(async () => {
    const ordered = await stage.api.call('/api/v1/auth/public-tokens', order);
    expect(ordered.status).toBe(200);
    return ordered;
  }, 10_000);
  await keys.revoke(gone.id);
  await vi.waitFor(
    async () => expect((await stage.api.call('/api/v1/sessions', { key: gone.key })).status).toBe(401),
    10_000,
  );
  bad.set('nothing', { bearer: null, error: 'Invalid or Missing API key', isToken: false });
  bad.set('a key of nobody', { bearer: 'tr_dev_nobody_has_this_one', error: unknownKey, isToken: false });
  bad.set('a root key after its grace', { bearer: over.key, error: unknownKey, isToken: false });
  bad.set('a revoked restricted key', { bearer: gone.key, error: unknownKey, isToken: false });
  bad.set('a token of a revoked key', { bearer: answer.body.token, error: invalidToken, isToken: true });
  bad.set('a token of a key after its grace', {
    bearer: await signed({}, over.key),
    error: invalidToken,
    isToken: true,
  });
}

const environmentId = async (key: string): Promise<string> =>
  (await stage.api.call('/api/v1/auth/jwt/claims', { method: 'POST', key })).body.sub;

const nowSeconds = () => Math.floor(Date.now() / 1_000);

async function claims(changes: JWTPayload): Promise<JWTPayload> {
  const sub = await environmentId(stage.site.devKey);
  const iss = 'https://id.trigger.dev';
  const aud = 'https://api.trigger.dev';
  return { sub, pub: true, scopes: ['admin'], iss, aud, exp: nowSeconds() + 600, jti: randomUUID(), ...changes };
}

/** As a client signs for itself, with its secret key. */
const signed = async (changes: JWTPayload, secretKey = stage.site.devKey): Promise<string> =>
  new SignJWT(await claims(changes)).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secretKey));

async function makeTokens(): Promise<void> {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const once = await signed({ otu: true });
  expect((await stage.api.call('/api/v1/sessions', { key: once })).status).toBe(200);
  const invalid: Record<string, string> = {
    'an expired token': await signed({ exp: nowSeconds() - 1 }),
    'a token that is not valid yet': await signed({ nbf: nowSeconds() + 600 }),
    'a token for another audience': await signed({ aud: 'https://elsewhere.example' }),
    'a token of another issuer': await signed({ iss: 'https://elsewhere.example' }),
    'an altered token': `${await signed({})}x`,
    'a token of another environment under this key': await signed({ sub: await environmentId(stage.site.prodKey) }),
    'a token that a restricted key signed': await signed({}, restricted.get('admin')),
    'a token without a signature': new UnsecuredJWT(await claims({})).encode(),
    'a token of RS256': await new SignJWT(await claims({}))
      .setProtectedHeader({ alg: 'RS256' })
      .sign(await importPKCS8(privateKey, 'RS256')),
    'a token that says RS256, signed with the secret key': await confused(),
    'a token that is too long': await signed({ scopes: ['x'.repeat(9_000)] }),
  };
  for (const [name, bearer] of Object.entries(invalid)) bad.set(name, { bearer, error: invalidToken, isToken: true });
  const unowned = await signed({ sub: 'env_nobody' });
  bad.set('a token of no environment', { bearer: unowned, error: 'Invalid Public Access Token', isToken: true });
  bad.set('a used token', { bearer: once, error: 'Public Access Token was already used', isToken: true });
}

async function confused(): Promise<string> {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'RS256' })}.${part(await claims({}))}`;
  return `${text}.${createHmac('sha256', stage.site.devKey).update(text).digest('base64url')}`;
}

async function ask(row: RouteRow, bearer: string | null): Promise<{ readonly status: number; readonly text: string }> {
  const body = row.body?.(targets);
  const response = await fetch(`${stage.server.url}${row.path(targets)}`, {
    method: row.route.slice(0, row.route.indexOf(' ')),
    headers: { ...(bearer === null ? {} : { Authorization: `Bearer ${bearer}` }), 'Timeout-Seconds': '1' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  if (response.headers.get('content-type') !== 'text/event-stream')
    return { status: response.status, text: await response.text() };
  await response.body?.cancel();
  return { status: response.status, text: '' };
}

const isIn = ({ status }: { readonly status: number }): boolean => status !== 401 && status !== 403;

/** Those scopes of the table with which the route lets one in; whoever is not let in is told 403. */
async function openedBy(
  row: RouteRow,
  bearerOf: (scope: Scope) => Promise<string> | string,
): Promise<readonly Scope[]> {
  const answers = await Promise.all(
    scopes.map(async (scope) => ({ scope, answer: await ask(row, await bearerOf(scope)) })),
  );
  const others = answers.filter(({ answer }) => !isIn(answer) && answer.status !== 403);
  expect(others).toEqual([]);
  expect(answers.filter(({ answer }) => answer.status >= 500)).toEqual([]);
  return answers.filter(({ answer }) => isIn(answer)).map(({ scope }) => scope);
}

const inOrder = (opens: readonly Scope[]): readonly Scope[] => scopes.filter((scope) => opens.includes(scope));

test('every route that takes a credential is in the table', () => {
  const routes = routesOf({} as HttpParts).filter(({ credential }) => credential !== 'none');
  const inTable = new Set(rows.map(({ route }) => route));
  expect(routes.map(({ method, path }) => `${method} ${path}`).filter((route) => !inTable.has(route))).toEqual([]);
});

describe.each(
  rows.map(
    (row) =>
      [`${row.route} ${row.path({ own: 'own', ownId: 'session_own', otherId: '', runId: 'run_own' })}`, row] as const,
  ),
)('%s', (_, row) => {
  test('refuses whatever is no credential', async () => {
    const takesTokens = row.opensToken !== null;
    await Promise.all(
      [...bad].map(async ([name, { bearer, error, isToken }]) => {
        const { status, text } = await ask(row, bearer);
        expect({ name, status }).toEqual({ name, status: 401 });
        const told = isToken && !takesTokens ? unknownKey : error;
        if (!row.route.startsWith('HEAD'))
          expect({ name, body: JSON.parse(text) }).toEqual({ name, body: { error: told } });
      }),
    );
  });

  test('knows nothing of this session in another environment', async () => {
    const tokenOfProd = await signed({ sub: await environmentId(stage.site.prodKey) }, stage.site.prodKey);
    const { elsewhere = 404 } = row;
    const answer = await ask(row, stage.site.prodKey);
    expect(answer.status).toBe(elsewhere);
    expect(answer.text).not.toContain(targets.ownId);
    // Its scope passes there; where only keys may act, that may be said first, for it tells nothing.
    if (row.opensToken?.length !== 0 && row.opensToken !== null) expect(isIn(await ask(row, tokenOfProd))).toBe(true);
  });

  test('opens a restricted key what its scope says', async () => {
    expect(await openedBy(row, (scope) => restricted.get(scope) ?? '')).toEqual(inOrder(row.opens));
  });

  test.skipIf(row.opensToken === null)('opens a public token what its scope says', async () => {
    const opened = await openedBy(row, (scope) => stage.tokenOf(textOf(scope)));
    expect(opened).toEqual(inOrder(row.opensToken ?? row.opens));
  });

  test('opens root keys everything, one in its grace too', async () => {
    expect([isIn(await ask(row, inGrace)), isIn(await ask(row, stage.site.devKey))]).toEqual([true, true]);
  });
});
