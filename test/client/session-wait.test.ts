/**
 * A run of the official SDK, suspended: `session.in.wait()` unchanged, with the SDK's own tail of our stream. What stands
 * in for its supervisor asks our held call for the outcome, as any runtime of ours does.
 */
import { ApiClient } from '@trigger.dev/core/v3';
import { runInMockTaskContext, StandardSessionStreamManager } from '@trigger.dev/core/v3/test';
import type { RuntimeManager } from '@trigger.dev/core/v3/workers';
import { configure, sessions } from '@trigger.dev/sdk';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';

let site: Site;
let server: TestServer;

beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
  // Of the whole process: no other test file runs in it.
  configure({ baseURL: server.url, accessToken: site.devKey });
});

afterAll(async () => {
  await server?.stop();
  await site?.remove();
});

type Input = ReturnType<typeof sessions.open>['in'];

/** Inside of a run of that session, as far as the SDK can tell. */
async function insideRun(externalId: string, body: (input: Input) => Promise<void>): Promise<void> {
  const { body: created } = await server.api.create({ externalId });
  const streams = new StandardSessionStreamManager(new ApiClient(server.url, site.devKey), server.url);
  const options = {
    ctx: { run: { id: created.runId } },
    sessionStreamManager: streams,
    runtimeManager: supervisorOf(created.runId),
  };
  try {
    await runInMockTaskContext(() => body(sessions.open(externalId).in), options);
  } finally {
    streams.reset();
  }
}

function supervisorOf(runId: string): RuntimeManager {
  const refuse = () => Promise.reject(new Error('a run of these tests waits for waitpoints alone'));
  return {
    disable: () => undefined,
    waitForTask: refuse,
    waitForBatch: refuse,
    async waitForWaitpoint({ waitpointFriendlyId }) {
      const path = `/engine/v1/runs/${runId}/waitpoints/tokens/${waitpointFriendlyId}/wait`;
      for (;;) {
        const { body } = await server.api.call(path, { method: 'POST' });
        if (body.status !== 'WAITING') {
          return { ok: !body.outputIsError, output: body.output, outputType: body.outputType };
        }
      }
    },
  };
}

const append = (externalId: string, text: string) =>
  server.api.call(`/realtime/v1/sessions/${externalId}/in/append`, { method: 'POST', body: text });

test('check 10: what is appended around a suspension is delivered once, in order', async () => {
  await insideRun('sdk-waits', async (input) => {
    for (let message = 0; message < 30; message += 1) {
      const waiting = input.wait<{ message: number }>({ timeout: '1h' });
      // Before the registration, after it, or in between: whatever the machine makes of it.
      const appended = append('sdk-waits', JSON.stringify({ message }));
      expect(await waiting).toEqual({ ok: true, output: { message } });
      await appended;
    }
  });
});

test('a wait that nobody ends is a timeout', async () => {
  await insideRun('sdk-timeout', async (input) => {
    const outcome = await input.wait({ timeout: '1s' });
    expect(outcome).toMatchObject({ ok: false, error: { name: 'WaitpointTimeoutError', message: 'Timed out' } });
  });
});

test('an idle wait goes over into a suspension, and a close wakes it', async () => {
  await insideRun('sdk-close', async (input) => {
    let isSuspended = false;
    const waiting = input.waitWithIdleTimeout({
      idleTimeoutInSeconds: 0.1,
      timeout: '1h',
      onSuspend: () => {
        isSuspended = true;
      },
    });
    await vi.waitFor(() => expect(isSuspended).toBe(true), 20_000);
    await sessions.close('sdk-close', { reason: 'over' });
    const payload = { chatId: 'sdk-close', trigger: 'close' };
    expect(await waiting).toEqual({ ok: true, output: { kind: 'message', payload } });
  });
});
