/** One API process and nobody who could take over from it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBody } from '../harness/api.ts';
import { startProcess } from '../harness/processes.ts';
import { openSite, type Site, siteEnvironment } from '../harness/server.ts';
import { leftInTheLurch, startCreateLoad } from './create-load.ts';

let site: Site;

beforeAll(async () => {
  site = await openSite();
});

afterAll(async () => {
  await site?.remove();
});

test('a lone API that is told to stop under load answers all that it has let in', async () => {
  const api = await startProcess({ command: ['api'], environment: siteEnvironment(site) });
  const load = startCreateLoad({
    urls: [api.url],
    secretKey: site.devKey,
    body: (externalId) => createBody({ externalId }),
    inFlight: 8,
  });
  await expect.poll(() => load.created.length, { timeout: 30_000 }).toBeGreaterThan(30);
  expect(await api.stop()).toEqual({ code: 0, signal: null });
  await load.stop();
  expect([...load.failures, ...leftInTheLurch(load, api.lines)]).toEqual([]);
});
