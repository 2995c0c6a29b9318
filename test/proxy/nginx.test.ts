/**
 * Through a real nginx, with the configuration of the recipe and with none at all: events arrive as they happen, because
 * the answer asks for it, and whoever is cut off resumes. A third site ignores what the answer asks for: it shows that
 * the buffering is real.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, apiOf } from '../harness/api.ts';
import { hearsSeqs, openEventStream } from '../harness/event-stream.ts';
import { type Nginx, nginxBinary, startNginx } from '../harness/nginx.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';

if (nginxBinary === null) console.warn('No nginx on this machine: what passes through it is not tested.');

const recipe = /```nginx\n([^`]+)```/.exec(
  readFileSync(new URL('../../docs/recipes/behind-a-proxy.md', import.meta.url), 'utf8'),
)?.[1];

function siteOfRecipe(upstream: string): (port: number) => string {
  const upstreams = recipe?.replace(/ {2}server 10\.[^;]+;\n/g, '').replace('{\n', `{\n  server ${upstream};\n`);
  const listening = upstreams?.replace(/listen [^;]+;/, 'listen 127.0.0.1:LISTEN;') ?? '';
  if (!listening.includes(upstream) || !listening.includes('LISTEN')) throw new Error('the recipe has another shape');
  return (port) => listening.replace('LISTEN', String(port));
}

const siteWith =
  (upstream: string, directives = '') =>
  (port: number): string =>
    `server { listen 127.0.0.1:${port}; location / { proxy_pass http://${upstream}; ${directives} } }`;

describe.skipIf(nginxBinary === null)('through nginx', () => {
  let site: Site;
  let server: TestServer;
  let nginx: Nginx;
  beforeAll(async () => {
    site = await openSite();
    server = await startTestServer({ site });
    const upstream = new URL(server.url).host;
    const deaf = siteWith(upstream, 'proxy_ignore_headers X-Accel-Buffering;');
    nginx = await startNginx([siteOfRecipe(upstream), siteWith(upstream), deaf]);
  });
  afterAll(async () => {
    await nginx?.remove();
    await server?.stop();
    await site?.remove();
  });

  const urlOf = (name: 'recipe' | 'defaults' | 'deaf'): string =>
    nginx.urls[['recipe', 'defaults', 'deaf'].indexOf(name)] ?? '';
  const through = (name: Parameters<typeof urlOf>[0]): Api => apiOf(urlOf(name), site.devKey);
  const pathOf = (externalId: string, rest: string): string =>
    `/realtime/v1/sessions/${encodeURIComponent(externalId)}/${rest}`;
  const follow = (url: string, path: string, headers: Record<string, string> = {}) =>
    openEventStream(`${url}${path}`, { key: site.devKey, headers });

  test.each(['recipe', 'defaults'] as const)('%s: each event arrives when it happens', async (name) => {
    const api = through(name);
    const externalId = `a/b ${name}`;
    expect((await api.create({ externalId })).status).toBe(201);
    const tail = await follow(urlOf(name), pathOf(externalId, 'in'));
    expect(tail.headers.get('x-stream-version')).toBe('v2');
    for (let seq = 0; seq < 5; seq += 1) {
      // The next one is written when the one before was heard: nothing that gathers events would get past the first.
      const body = `{"seq":${seq}}`;
      expect((await api.call(pathOf(externalId, 'in/append'), { method: 'POST', body })).body.seq).toBe(seq);
      await hearsSeqs(tail, [...Array(seq + 1).keys()]);
    }
    tail.leave();
  });

  test('an nginx that heeds no headers holds the events back until their stream ends', async () => {
    await server.api.create({ externalId: 'buffered' });
    const path = pathOf('buffered', 'in');
    const heeding = await follow(urlOf('defaults'), path);
    // Not even its headers come before the end.
    const deaf = follow(urlOf('deaf'), path, { 'Timeout-Seconds': '8' });
    let isAnswered = false;
    void deaf.then(() => {
      isAnswered = true;
    });
    await server.api.call(`${path}/append`, { method: 'POST', body: 'x' });
    await hearsSeqs(heeding, [0]);
    expect(isAnswered).toBe(false);
    await hearsSeqs(await deaf, [0]);
    heeding.leave();
  });

  test('a stream that the proxy cut off goes on after the last record, and misses none', async () => {
    const path = pathOf('cut', 'in');
    await server.api.create({ externalId: 'cut' });
    const append = (text: string) => server.api.call(`${path}/append`, { method: 'POST', body: text });
    const cut = await follow(urlOf('recipe'), path);
    await append('0');
    await hearsSeqs(cut, [0]);
    await nginx.kill();
    await expect(cut.ended).rejects.toThrow(/terminated/);
    await append('1');
    await nginx.start();
    const resumed = await follow(urlOf('recipe'), path, { 'Last-Event-ID': '0' });
    await append('2');
    await hearsSeqs(resumed, [1, 2]);
    resumed.leave();
  });

  test('the largest record and a held wait pass; the probes do not', async () => {
    const api = through('recipe');
    const { body } = await api.create({ externalId: 'large' });
    const wait = { session: body.id, io: 'in' };
    const { waitpointId } = (
      await api.call(`/api/v1/runs/${body.runId}/session-streams/wait`, { method: 'POST', body: wait })
    ).body;
    const token = `/engine/v1/runs/${body.runId}/waitpoints/tokens/${waitpointId}/wait`;
    const held = api.call(token, { method: 'POST' });
    const text = 'x'.repeat(1_048_576 - 40);
    const path = pathOf('large', 'in');
    expect((await api.call(`${path}/append`, { method: 'POST', body: text })).body).toEqual({ ok: true, seq: 0 });
    expect((await held).body).toMatchObject({ status: 'COMPLETED', output: text });
    const probe = await fetch(`${urlOf('recipe')}/readyz`);
    expect(probe.status).toBe(404);
    await probe.body?.cancel();
  });
});
