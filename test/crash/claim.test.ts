/** The API dies while an attempt claims its run: the attempt asks again, and executes once. */
import { describe, expect, test, vi } from 'vitest';
import { apiOf } from '../harness/api.ts';
import { freePort } from '../harness/free-port.ts';
import { startProcess } from '../harness/processes.ts';
import { openSite, siteEnvironment } from '../harness/server.ts';
import { startTestTasks } from '../harness/tasks.ts';

const inTime = { timeout: 40_000, interval: 50 };

describe.concurrent('an API process', () => {
  test.for(['claimRun:before', 'claimRun:after'])('killed at %s', { timeout: 120_000 }, async (point) => {
    const site = await openSite();
    const port = await freePort();
    const environment = { ...siteEnvironment(site), PORT: String(port) };
    const dying = await startProcess({
      command: ['api'],
      environment: { ...environment, FAILPOINTS: `${point}=kill` },
    });
    const tasks = await startTestTasks({ site, server: dying });
    const api = apiOf(dying.url, site.devKey);
    try {
      const { body } = await api.create({ externalId: point });
      await dying.exited;
      const living = await startProcess({ command: ['api'], environment });
      try {
        await vi.waitFor(() => expect(tasks.of(body.id)).toHaveLength(1), inTime);
        // The heartbeats went on without the API, so asking again has cost no attempt.
        expect(await api.runWhen(body.runId, ({ isExecuting }) => isExecuting)).toMatchObject({ attemptCount: 1 });
        expect(tasks.of(body.id)).toMatchObject([{ runNumber: 1, attempt: 1 }]);
      } finally {
        await tasks.stop();
        await living.kill();
      }
    } finally {
      await dying.kill();
      await site.remove();
    }
  });
});
