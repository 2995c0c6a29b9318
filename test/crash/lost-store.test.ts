/** Temporal's store is lost while the rows stay: the row is the authority, and no run of it executes twice. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import type { PrivateTemporal } from '../harness/private-temporal.ts';
import { startPrivateTemporal } from '../harness/temporal.ts';
import { openStory, type Story } from './story.ts';

const inTime = { timeout: 40_000, interval: 50 };

function lossTest(name: string, tell: (story: Story, temporal: PrivateTemporal) => Promise<void>): void {
  test(name, { timeout: 120_000 }, async () => {
    const temporal = await startPrivateTemporal();
    const story = await openStory(temporal.address);
    try {
      await tell(story, temporal);
    } finally {
      await story.end();
      await temporal.stop();
    }
  });
}

const keyed = () => ({ headers: { 'x-trigger-request-idempotency-key': randomUUID() } });

describe.concurrent('when Temporal’s store is lost', () => {
  lossTest('a create that was already accepted is sent again and makes one session (V17)', async (story, temporal) => {
    const { api } = story.server;
    const key = keyed();
    const create = () => api.create({ externalId: 'accepted' }, key);
    const creating = create();
    await vi.waitFor(async () => {
      const described = await describeWorkflow(story, 'session/dev/accepted');
      expect(described).toBe('RUNNING');
    }, inTime);
    await temporal.wipe();
    await story.worker();
    const first = await creating;
    const answer = first.status === 503 ? await create() : first;
    expect(answer.status).toBe(201);
    await vi.waitFor(() => expect(story.executionsOf(answer.body.id)).toEqual([[1, 1]]), inTime);
    expect((await story.settled(answer.body.id)).runs).toHaveLength(1);
  });

  lossTest(
    'the same request key makes no second execution of a run, and the next order takes over (V10)',
    async (story, temporal) => {
      const { api } = story.server;
      await story.worker();
      const key = keyed();
      const first = await api.create({ externalId: 'same key' }, key);
      await vi.waitFor(() => expect(story.executionsOf(first.body.id)).toEqual([[1, 1]]), inTime);
      await temporal.wipe();
      const repeated = await api.create({ externalId: 'same key' }, key);
      expect(repeated).toMatchObject({ status: 201, body: { id: first.body.id, runId: first.body.runId } });

      // Any order finds the workflow gone and starts it again: it ends what nobody executes any more.
      const canceled = await vi.waitFor(async () => {
        const answer = await api.cancel(first.body.runId);
        expect(answer.status).toBe(200);
        return answer;
      }, inTime);
      expect(canceled.body).toEqual({ id: first.body.runId });
      await api.runWhen(first.body.runId, ({ status }) => status === 'SYSTEM_FAILURE');

      const next = await api.create({ externalId: 'same key' });
      expect(next).toMatchObject({ status: 200, body: { id: first.body.id } });
      await vi.waitFor(
        () =>
          expect(story.executionsOf(first.body.id)).toEqual([
            [1, 1],
            [2, 1],
          ]),
        inTime,
      );
      const { runs, gate } = await story.settled(first.body.id);
      expect(runs.map((run) => run['status'])).toEqual(['SYSTEM_FAILURE', 'QUEUED']);
      expect(gate).toMatchObject({ run_no: 2, live: true });
    },
  );

  lossTest('a closed session stays closed, and an open one can be closed', async (story, temporal) => {
    const { api, closing } = { api: story.server.api, closing: closeOf(story) };
    await story.worker();
    const [closed, open] = await Promise.all(
      ['was closed', 'still open'].map((externalId) => api.create({ externalId })),
    );
    await closing(closed?.body);
    await vi.waitFor(async () => expect((await api.session('was closed')).body.closedAt).not.toBeNull(), inTime);
    await temporal.wipe();
    expect((await api.create({ externalId: 'was closed' })).status).toBe(409);
    await vi.waitFor(() => closing(open?.body), inTime);
    await vi.waitFor(async () => expect((await api.session('still open')).body.closedAt).not.toBeNull(), inTime);
    const { runs } = await story.settled(open?.body.id);
    expect(runs.map((run) => run['status'])).toEqual(['SYSTEM_FAILURE']);
    expect((await api.create({ externalId: 'still open' })).status).toBe(409);
  });
});

/** As an operator's tool does it: by signal-with-start, which heals a lost workflow. */
const closeOf = (story: Story) => (session: { id: string; externalId: string }) =>
  story.temporal.client.workflow.signalWithStart('session', {
    workflowId: `session/dev/${session.externalId}`,
    taskQueue: 'perdure/sessions',
    args: [{ kind: 'adopt', sessionId: session.id }],
    signal: 'close',
    signalArgs: [{ reason: 'lost' }],
  });

async function describeWorkflow(story: Story, workflowId: string): Promise<string> {
  return (await story.temporal.client.workflow.getHandle(workflowId).describe()).status.name;
}
