/** Rate limits on the wire (protocol section 1.2): per credential, per address for unknown ones, and off by default. */
import { configure, sessions } from '@trigger.dev/sdk';
import { afterEach, describe, expect, test } from 'vitest';
import type { RateLimits } from '../../src/http/http-parts.ts';
import { rateMeter } from '../../src/storage/rate-meter.ts';
import { startWitnessProxy } from '../client/witness-proxy.ts';
import { openSite, startTestServer } from '../harness/server.ts';
import { type Edge, publicToken, refusingUseCases, secretKey, startEdge } from './edge.ts';

const meter = (name: string, max: number) => rateMeter({ name, max, windowSeconds: 3_600, database: null });
const useCases = { ...refusingUseCases, retrieveSession: async () => null };
const path = '/api/v1/sessions/chat_1';

let edge: Edge;
afterEach(() => edge.close());

async function startLimited(rateLimits: Partial<RateLimits>): Promise<void> {
  edge = await startEdge({
    useCases,
    rateLimits: { callers: null, badCredentials: null, trustedProxies: 0, ...rateLimits },
  });
}

const statusesOf = async (count: number, init: Parameters<Edge['fetch']>[1] = {}): Promise<number[]> => {
  const statuses: number[] = [];
  for (let index = 0; index < count; index += 1) statuses.push((await edge.fetch(path, init)).status);
  return statuses;
};

describe('requests per credential', () => {
  test('are counted down in headers that a page can read, then refused until the reset', async () => {
    await startLimited({ callers: meter('caller', 2) });
    const origin = 'https://app.example';
    const before = Date.now();
    for (const [status, left] of [
      [404, '1'],
      [404, '0'],
      [429, '0'],
    ] as const) {
      const answer = await edge.fetch(path, { headers: { origin } });
      expect([answer.status, answer.headers.get('x-ratelimit-remaining')]).toEqual([status, left]);
      expect(answer.headers.get('x-ratelimit-limit')).toBe('2');
      const resetAtMs = Number(answer.headers.get('x-ratelimit-reset'));
      expect(resetAtMs).toBeGreaterThan(before + 3_590_000);
      expect(resetAtMs).toBeLessThanOrEqual(Date.now() + 3_600_000);
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
      expect(answer.headers.get('access-control-expose-headers')).toContain('x-ratelimit-reset');
      if (status !== 429) continue;
      expect(await answer.json()).toEqual({ error: 'Rate limit exceeded; try again later' });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(3_590);
    }
  });

  test('are those of each key and each token by itself', async () => {
    await startLimited({ callers: meter('caller', 2) });
    const [one, other] = [await publicToken('read:sessions'), await publicToken('read:sessions')];
    for (const key of [secretKey, one, other]) expect(await statusesOf(3, { key })).toEqual([404, 404, 429]);
  });

  test('are not those of preflights, of health, or of nobody', async () => {
    await startLimited({ callers: meter('caller', 1), badCredentials: meter('address', 1) });
    const asked = { method: 'OPTIONS', headers: { origin: 'https://app.example' } };
    expect(await statusesOf(3, asked)).toEqual([200, 200, 200]);
    expect(await statusesOf(3, { key: null })).toEqual([401, 401, 401]);
    for (let round = 0; round < 3; round += 1) expect((await edge.fetch('/healthz')).status).toBe(200);
    const answer = await edge.fetch('/healthz');
    expect(answer.headers.get('x-ratelimit-limit')).toBeNull();
    expect(await statusesOf(2)).toEqual([404, 429]);
  });

  test('cost the same when they are refused for another reason', async () => {
    await startLimited({ callers: meter('caller', 1) });
    const answer = await edge.fetch('/api/v1/sessions', { method: 'POST', body: 'no JSON' });
    expect([answer.status, answer.headers.get('x-ratelimit-remaining')]).toEqual([422, '0']);
    expect(await statusesOf(1)).toEqual([429]);
  });
});

describe('unknown credentials per address', () => {
  const unknown = { key: 'tr_dev_nobody_has_this_one' };

  test('lock the address out, with a good credential too', async () => {
    await startLimited({ badCredentials: meter('address', 2) });
    expect(await statusesOf(1)).toEqual([404]);
    expect(await statusesOf(3, unknown)).toEqual([401, 401, 429]);
    const answer = await edge.fetch(path);
    expect([answer.status, await answer.json()]).toEqual([
      429,
      { error: 'Too many invalid credentials from this address; try again later' },
    ]);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(3_590);
    expect((await edge.fetch('/healthz')).status).toBe(200);
  });

  test('a forged token is one, too', async () => {
    await startLimited({ badCredentials: meter('address', 1) });
    expect(await statusesOf(2, { key: `${await publicToken('admin')}x` })).toEqual([401, 429]);
  });

  const from = (address: string) => ({ ...unknown, headers: { 'x-forwarded-for': address } });

  test('are counted for whom a trusted proxy names, and nobody believes a caller about itself', async () => {
    await startLimited({ badCredentials: meter('address', 1), trustedProxies: 1 });
    expect(await statusesOf(2, from('192.0.2.1'))).toEqual([401, 429]);
    // Whatever a caller wrote itself stands further left.
    expect(await statusesOf(1, from('192.0.2.2, 192.0.2.1'))).toEqual([429]);
    expect(await statusesOf(1, from('192.0.2.1, 192.0.2.3'))).toEqual([401]);
    expect(await statusesOf(1, from('::ffff:192.0.2.3'))).toEqual([429]);
    // The same network of IPv6, however it is written, is the same caller.
    expect(await statusesOf(1, from('2001:db8::1'))).toEqual([401]);
    expect(await statusesOf(1, from('2001:0DB8:0:0:ffff:1:2:3'))).toEqual([429]);
    expect(await statusesOf(1, from('2001:db8:0:1::1'))).toEqual([401]);
    // What is no address is the proxy's own.
    expect(await statusesOf(1, from('unknown'))).toEqual([401]);
    expect(await statusesOf(1, from(''))).toEqual([429]);
  });

  test('without a trusted proxy no header is believed', async () => {
    await startLimited({ badCredentials: meter('address', 1) });
    expect(await statusesOf(1, from('192.0.2.1'))).toEqual([401]);
    expect(await statusesOf(1, from('192.0.2.2'))).toEqual([429]);
  });
});

test('the official client waits until the reset and succeeds', async () => {
  await startLimited({});
  const site = await openSite();
  const server = await startTestServer({
    site,
    environment: { RATE_LIMIT_REQUESTS: '2', RATE_LIMIT_WINDOW_SECONDS: '1', RATE_LIMIT_STORE: 'database' },
  });
  const proxy = await startWitnessProxy(server.url);
  // Of the whole process: no other test of this file uses it.
  configure({ baseURL: proxy.url, accessToken: site.devKey });
  const { id } = await sessions.start({
    type: 'chat.agent',
    externalId: 'busy',
    taskIdentifier: 'hold',
    triggerConfig: { basePayload: {} },
  });
  const found = await Promise.all(Array.from({ length: 4 }, () => sessions.retrieve('busy')));
  expect(found.map((session) => session.id)).toEqual(Array.from({ length: 4 }, () => id));
  expect(proxy.seen('busy').filter(({ status }) => status === 429).length).toBeGreaterThan(0);
  await proxy.close();
  await server.stop();
  await site.remove();
});
