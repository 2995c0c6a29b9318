/** What goes wrong around the ends of runs and sessions without each rule of the lifecycle design, told with real faults. */
import { randomUUID } from 'node:crypto';
import { describe, expect, vi } from 'vitest';
import { barrenMax } from '../../src/domain/limits.ts';
import type { Answer, Api } from '../harness/api.ts';
import { startTestTasks } from '../harness/tasks.ts';
import { storyTest } from './story.ts';

const inTime = { timeout: 40_000, interval: 50 };

const append = (api: Api, sessionId: string, partId: string): Promise<Answer> =>
  api.call(`/realtime/v1/sessions/${sessionId}/in/append`, {
    method: 'POST',
    body: `message ${partId}`,
    headers: { 'X-Part-Id': partId },
  });

describe.concurrent('a record that a run leaves unread', () => {
  storyTest('because it was cancelled while it was queued, meets the next one, a few times (V8)', async (story) => {
    await story.worker();
    const { api } = story.server;
    const { body } = await story.createUntilAnswered({ externalId: 'queued', taskIdentifier: 'unserved' });
    expect((await append(api, body.id, 'm')).body.seq).toBe(0);
    const cancelCurrent = async (number: number) => {
      const current = await vi.waitFor(async () => {
        const { gate, runs } = await story.rows(body.id);
        expect(gate).toMatchObject({ run_no: number, live: true });
        return runs.at(-1) as { id: string };
      }, inTime);
      await api.cancel(current.id);
      await api.runWhen(current.id, (run) => run.isCompleted);
    };
    for (let number = 1; number <= 1 + barrenMax; number += 1) await cancelCurrent(number);
    const { gate, runs } = await story.settled(body.id);
    expect(runs.map(({ status }) => status)).toEqual(runs.map(() => 'CANCELED'));
    expect(gate).toMatchObject({ run_no: 1 + barrenMax, live: false, barren: barrenMax });
    // The next message wakes: nobody has given the session up.
    expect((await append(api, body.id, 'again')).body.seq).toBe(1);
    await vi.waitFor(async () => expect((await story.rows(body.id)).gate).toMatchObject({ live: true }), inTime);
  });

  storyTest('because it was woken for it and timed out, meets the next one, a few times (V8)', async (story) => {
    await story.worker();
    const { api } = story.server;
    const triggerConfig = { basePayload: {}, maxDuration: 1, maxAttempts: 1 };
    const { body } = await story.createUntilAnswered({ externalId: 'times out', triggerConfig });
    await api.runWhen(body.runId, (run) => run.isCompleted);
    expect((await append(api, body.id, 'm')).body.seq).toBe(0);
    const runsMax = 2 + barrenMax;
    await vi.waitFor(async () => {
      expect((await story.rows(body.id)).gate).toMatchObject({ run_no: runsMax, live: false });
    }, inTime);
    const { gate, runs } = await story.settled(body.id);
    expect(runs.map(({ status }) => status)).toEqual(runs.map(() => 'TIMED_OUT'));
    expect(runs).toHaveLength(runsMax);
    expect(gate).toMatchObject({ barren: barrenMax, consumed: 0, next: 1 });
    expect(story.executionsOf(body.id)).toHaveLength(runsMax);
  });
});

describe.concurrent('a session that ends', () => {
  storyTest('while a cached create is held, is not moved on by it (V11)', async (story) => {
    const one = await story.api('writeThrough:before=hold');
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { body } = await story.createUntilAnswered({ externalId: 'moved', expiresAt });
    const later = new Date(Date.now() + 7_200_000).toISOString();
    const creating = one.create({ externalId: 'moved', expiresAt: later });
    const release = await one.held('writeThrough:before');
    await story.database.query(
      `UPDATE gates SET expires_at = clock_timestamp() - interval '1 ms' WHERE session_id = $1`,
      [body.id],
    );
    expect((await append(story.server.api, body.id, 'm')).status).toBe(400);
    const before = (await story.rows(body.id)).gate;
    release();
    expect((await creating).status).toBe(409);
    const { gate, records } = await story.rows(body.id);
    expect([gate['expires_at'], gate['expired_at']]).toEqual([before['expires_at'], before['expired_at']]);
    expect(records.filter(({ from_client: own }) => own === true)).toEqual([]);
  });

  storyTest('while its queued run is about to claim, is not served by it (V12)', async (story) => {
    const one = await story.api('claimRun:before=hold');
    const slow = await startTestTasks({ site: story.site, server: { url: one.process.url }, queue: 'slow' });
    try {
      const triggerConfig = { basePayload: {}, queue: 'slow' };
      const { body } = await story.createUntilAnswered({ externalId: 'claims late', triggerConfig });
      const release = await one.held('claimRun:before');
      await vi.waitFor(async () => {
        const closing = await story.server.api.call(`/api/v1/sessions/${body.id}/close`, { method: 'POST' });
        expect(closing.status).toBe(200);
      }, inTime);
      release();
      await story.server.api.runWhen(body.runId, (run) => run.isCompleted);
      expect(slow.of(body.id)).toEqual([]);
      expect((await story.settled(body.id)).gate).toMatchObject({ run_no: 1, live: false, began: null });
    } finally {
      await slow.stop();
    }
  });
});

describe.concurrent('a hand-over', () => {
  for (const fault of ['before=kill', 'after=kill'] as const) {
    storyTest(
      `whose session worker dies tells one caller, and only that, that it swapped (V15): ${fault}`,
      async (story) => {
        const victim = await story.worker(`handOverRun:${fault}`);
        const { body } = await story.createUntilAnswered({ externalId: `swaps ${fault}` });
        await vi.waitFor(() => expect(story.executionsOf(body.id)).toEqual([[1, 1]]), inTime);
        const keys = [randomUUID(), randomUUID()];
        const handOver = async (key: string): Promise<Answer> => {
          const order = { callingRunId: body.runId, reason: 'manual' };
          const headers = { 'x-trigger-request-idempotency-key': key };
          const path = `/api/v1/sessions/${body.id}/end-and-continue`;
          for (let tries = 1; ; tries += 1) {
            const answer = await story.server.api.call(path, { method: 'POST', body: order, headers });
            if (answer.status !== 503 || tries === 4) return answer;
          }
        };
        const asking = Promise.all(keys.map(handOver));
        await story.takeOver(victim);
        const answers = await asking;
        const { runs } = await story.settled(body.id);
        const swappers = keys.filter((_, index) => answers[index]?.body.swapped === true);
        expect(runs).toHaveLength(2);
        expect(swappers).toEqual([runs[1]?.['request_key']]);
        for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { runId: runs[1]?.['id'] } });
        await vi.waitFor(() => expect(story.executionsOf(body.id)).toHaveLength(2), inTime);
      },
    );
  }
});
