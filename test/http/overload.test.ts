/** Full: 429 and 503 with `Retry-After` and the shape that the client waits by, never silence; and a place that is left is free. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { fail } from '../../src/domain/failure.ts';
import { sessionIdOf } from '../../src/domain/ids.ts';
import { type EventStreamClient, openEventStream } from '../harness/event-stream.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { refusingStreams, refusingWaitpoints, startEdge } from './edge.ts';

const limits = { READERS_MAX: '6', READERS_PER_STREAM_MAX: '3', READERS_PER_KEY_MAX: '4' };

describe('readers', () => {
  let site: Site;
  let server: TestServer;
  beforeAll(async () => {
    site = await openSite();
    server = await startTestServer({ site, environment: limits });
  });
  afterAll(async () => {
    await server?.stop();
    await site?.remove();
  });

  const follow = (stream: string, key: string): Promise<EventStreamClient> =>
    openEventStream(`${server.url}/realtime/v1/sessions/${stream}`, { key, headers: { Origin: 'https://app.test' } });

  function expectCrowded({ status, headers }: EventStreamClient, limit: number): void {
    expect([status, headers.get('retry-after')]).toEqual([429, '1']);
    expect([headers.get('x-ratelimit-limit'), headers.get('x-ratelimit-remaining')]).toEqual([`${limit}`, '0']);
    expect(Math.abs(Number(headers.get('x-ratelimit-reset')) - Date.now())).toBeLessThan(60_000);
    expect(headers.get('access-control-allow-origin')).toBe('https://app.test');
    expect(headers.get('access-control-expose-headers')).toContain('x-ratelimit-reset');
  }

  test('are bounded for one stream, for one key and for the process; whoever leaves makes room', async () => {
    const { body } = await server.api.create({ externalId: 'one' });
    const [root, token] = [site.devKey, body.publicAccessToken as string];
    const ofStream = await Promise.all([follow('one/in', root), follow('one/in', root), follow(`${body.id}/in`, root)]);
    expect(ofStream.map(({ status }) => status)).toEqual([200, 200, 200]);
    // Both forms of the key are one stream.
    expectCrowded(await follow('one/in', token), 3);
    expectCrowded(await follow(`${body.id}/in`, root), 3);
    const ofKey = await follow('one/out', root);
    expect(ofKey.status).toBe(200);
    expectCrowded(await follow('another/in', root), 4);
    const ofToken = [await follow('one/out', token), await follow('one/out', token)];
    expect(ofToken.map(({ status }) => status)).toEqual([200, 200]);
    expectCrowded(await follow('one/channels/logs/out', token), 6);
    for (const reader of [...ofStream, ofKey, ...ofToken]) reader.leave();
    await vi.waitFor(async () => {
      const again = await follow('one/in', root);
      again.leave();
      expect(again.status).toBe(200);
    }, 10_000);
  });

  test('a refused reader cost no place', async () => {
    await server.api.create({ externalId: 'two' });
    const seats: EventStreamClient[] = [];
    await vi.waitFor(async () => {
      const seat = await follow('two/in', site.devKey);
      if (seat.status === 200) seats.push(seat);
      expect(seats).toHaveLength(3);
    }, 10_000);
    for (let tries = 0; tries < 5; tries += 1) expectCrowded(await follow('two/in', site.devKey), 3);
    seats[0]?.leave();
    await vi.waitFor(async () => expect((await follow('two/in', site.devKey)).status).toBe(200), 10_000);
    for (const seat of seats) seat.leave();
  });
});

test('an append, a wait and a held wait are refused in their own words', async () => {
  const session = { id: sessionIdOf('0'.repeat(25)), externalId: null, workflowId: 'session/dev/x' };
  const edge = await startEdge({
    streams: {
      ...refusingStreams,
      locate: async () => session,
      append: async () => fail({ code: 'appends_crowded' }),
    },
    waitpoints: {
      ...refusingWaitpoints,
      register: async () => fail({ code: 'waits_crowded', limit: 1_000 }),
      hold: async () => fail({ code: 'waiters_crowded', limit: 10_000 }),
    },
  });
  const post = (path: string, body = '') => edge.fetch(path, { method: 'POST', body });
  try {
    const append = await post(`/realtime/v1/sessions/${session.id}/in/append`, 'x');
    expect([append.status, append.headers.get('retry-after'), await append.json()]).toEqual([
      503,
      '1',
      { ok: false, error: 'Too many appends are waiting; try again' },
    ]);
    const wait = await post('/api/v1/runs/run_1/session-streams/wait', `{"session":"${session.id}","io":"in"}`);
    expect([wait.status, wait.headers.get('x-ratelimit-limit')]).toEqual([429, '1000']);
    const hold = await post('/engine/v1/runs/run_1/waitpoints/tokens/waitpoint_1/wait');
    expect([hold.status, hold.headers.get('x-ratelimit-limit')]).toEqual([429, '10000']);
  } finally {
    await edge.close();
  }
});
