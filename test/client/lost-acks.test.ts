/** Acknowledgements that are lost on their way: the official client sends its records again, and each is stored once. */
import { setTimeout as pause } from 'node:timers/promises';
import { configure, sessions } from '@trigger.dev/sdk';
import { expect, test } from 'vitest';
import { openSite, startTestServer } from '../harness/server.ts';
import { type Loss, startLossyProxy } from './lossy-proxy.ts';
import { recordsOf } from './written-records.ts';

const parts = 60;

/** Slower than a writer gathers records, so that most of them travel in a frame of their own. */
async function* slowly() {
  for (let part = 0; part < parts; part += 1) {
    yield { part };
    await pause(60);
  }
}

test('none is lost, none is doubled, and they keep their order, whatever breaks', { timeout: 90_000 }, async () => {
  const site = await openSite();
  const proxies = await Promise.all([startLossyProxy(), startLossyProxy(), startLossyProxy()]);
  const losses: Loss[] = ['the connection breaks', 'the session fails', 'the stream is reset'];
  const servers = await Promise.all(
    proxies.map((proxy) => startTestServer({ site, environment: { S2_URL: proxy.url } })),
  );
  try {
    for (const [index, loss] of losses.entries()) {
      const [proxy, server] = [proxies[index], servers[index]];
      if (proxy === undefined || server === undefined) throw new Error('one proxy and server for each loss');
      proxy.serve(server.url, loss);
      await server.api.create({ externalId: loss, taskIdentifier: 'nobody' });
      configure({ baseURL: server.url, accessToken: site.devKey });
      const { out } = sessions.open(loss);
      const { lastEventId } = await out.pipe(slowly()).waitUntilComplete();
      const records = await recordsOf(server, loss);
      expect(records.map(({ data }) => data)).toEqual(Array.from({ length: parts }, (_, part) => ({ part })));
      expect(lastEventId).toBe(String(parts - 1));
      expect(proxy.lost()).toBeGreaterThan(2);
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await site.remove();
  }
});
