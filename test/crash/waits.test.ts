/** An API process dies between a commit and its answer: the wait is completed, or registered, all the same, and once. */
import { describe, expect, test } from 'vitest';
import { type Api, apiOf } from '../harness/api.ts';
import { freePort } from '../harness/free-port.ts';
import { startProcess } from '../harness/processes.ts';
import { openSite, siteEnvironment, startTestServer } from '../harness/server.ts';

interface Parts {
  readonly dying: Api;
  readonly living: Api;
  readonly session: { readonly id: string; readonly runId: string };
}

async function withDyingApi(failpoint: string, tell: (parts: Parts) => Promise<void>): Promise<void> {
  const site = await openSite();
  const server = await startTestServer({ site });
  const environment = { ...siteEnvironment(site), PORT: String(await freePort()), FAILPOINTS: `${failpoint}=kill` };
  const dying = await startProcess({ command: ['api'], environment });
  try {
    const { body } = await server.api.create({ externalId: failpoint });
    await tell({ dying: apiOf(dying.url, site.devKey), living: server.api, session: body });
    await dying.exited;
  } finally {
    await dying.kill();
    await server.stop();
    await site.remove();
  }
}

const register = (api: Api, { id, runId }: Parts['session'], changes: Record<string, unknown> = {}) =>
  api.call(`/api/v1/runs/${runId}/session-streams/wait`, {
    method: 'POST',
    body: { session: id, io: 'in', ...changes },
  });

const hold = (api: Api, runId: string, waitpointId: string) =>
  api.call(`/engine/v1/runs/${runId}/waitpoints/tokens/${waitpointId}/wait`, { method: 'POST' });

const append = (api: Api, id: string, partId: string) =>
  api.call(`/realtime/v1/sessions/${id}/in/append`, {
    method: 'POST',
    body: partId,
    headers: { 'X-Part-Id': partId },
  });

const retained = async (api: Api, id: string) =>
  (await api.call(`/realtime/v1/sessions/${id}/in/records`)).body.records;

describe.concurrent('an API process', () => {
  test('killed after the commit of an append has completed the wait of another process', { timeout: 120_000 }, () =>
    withDyingApi('append:after', async ({ dying, living, session }) => {
      const { body } = await register(living, session);
      const held = hold(living, session.runId, body.waitpointId);
      await expect(append(dying, session.id, 'one')).rejects.toThrow(/fetch failed/);
      expect((await held).body).toMatchObject({ status: 'COMPLETED', output: 'one' });
      expect(await retained(living, session.id)).toMatchObject([{ data: 'one', seqNum: 0 }]);
      // V3: what got no answer is sent again; the next wait hears of nothing that was seen.
      expect((await append(living, session.id, 'one')).body).toEqual({ ok: true, seq: 0 });
      const next = await register(living, session, { lastSeqNum: 0, timeout: '1s' });
      expect((await hold(living, session.runId, next.body.waitpointId)).body).toMatchObject({ status: 'TIMED_OUT' });
    }),
  );

  test('killed before the commit of an append has completed nothing; sent again, it does', { timeout: 120_000 }, () =>
    withDyingApi('append:before', async ({ dying, living, session }) => {
      const { body } = await register(living, session);
      const held = hold(living, session.runId, body.waitpointId);
      await expect(append(dying, session.id, 'one')).rejects.toThrow(/fetch failed/);
      expect(await retained(living, session.id)).toEqual([]);
      expect((await append(living, session.id, 'one')).body).toEqual({ ok: true, seq: 0 });
      expect((await held).body).toMatchObject({ status: 'COMPLETED', output: 'one' });
    }),
  );

  test('killed after a registration has registered it: its key finds it again', { timeout: 120_000 }, () =>
    withDyingApi('waitpoint:after', async ({ dying, living, session }) => {
      const keyed = { idempotencyKey: 'first message', timeout: '1h' };
      await expect(register(dying, session, keyed)).rejects.toThrow(/fetch failed/);
      await append(living, session.id, 'one');
      const { body } = await register(living, session, keyed);
      expect(body.isCached).toBe(true);
      expect((await hold(living, session.runId, body.waitpointId)).body).toMatchObject({ output: 'one' });
    }),
  );
});
