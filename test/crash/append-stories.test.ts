/**
 * What goes wrong with appends without each rule of the lifecycle design, told with two API processes: one is held at a
 * step of its call while everything else happens through the other.
 */
import { describe, expect, vi } from 'vitest';
import type { Answer, Api } from '../harness/api.ts';
import { type Story, type StoryApi, storyTest } from './story.ts';

const inTime = { timeout: 40_000, interval: 50 };

const append = (api: Api, sessionId: string, partId = 'm'): Promise<Answer> =>
  api.call(`/realtime/v1/sessions/${sessionId}/in/append`, {
    method: 'POST',
    body: `message ${partId}`,
    headers: { 'X-Part-Id': partId },
  });

const handOver = (api: Api, session: { id: string; runId: string }): Promise<Answer> =>
  api.call(`/api/v1/sessions/${session.id}/end-and-continue`, {
    method: 'POST',
    body: { callingRunId: session.runId, reason: 'manual' },
  });

/** As the client does that gets no answer in time: it asks again. */
async function close(api: Api, sessionId: string): Promise<void> {
  await vi.waitFor(async () => {
    const answer = await api.call(`/api/v1/sessions/${sessionId}/close`, { method: 'POST', body: { reason: 'over' } });
    expect(answer.status).toBe(200);
  }, inTime);
}

interface Told {
  readonly story: Story;
  /** Held at the point. */
  readonly one: StoryApi;
  readonly other: Api;
  /** A session whose first run, of the task `hold`, executes. */
  readonly session: { readonly id: string; readonly runId: string };
}

function heldTest(name: string, point: string, tell: (told: Told) => Promise<void>): void {
  storyTest(name, async (story) => {
    const one = await story.api(`${point}=hold`);
    const { body } = await story.createUntilAnswered({ externalId: name });
    await vi.waitFor(() => expect(story.executionsOf(body.id)).toEqual([[1, 1]]), inTime);
    await tell({ story, one, other: story.server.api, session: { id: body.id, runId: body.runId } });
  });
}

const clientRecords = async (story: Story, sessionId: string): Promise<unknown[]> =>
  (await story.rows(sessionId)).records.filter(({ stream, from_client: own }) => stream === 'in' && own === true);

describe.concurrent('an append that is held', () => {
  heldTest(
    'before its commit, while its run hands over and both runs end, wakes a third one (V1)',
    'append:before',
    async ({ story, one, other, session }) => {
      const appending = append(one, session.id);
      const release = await one.held('append:before');
      const next = await handOver(other, session);
      expect(next.body.swapped).toBe(true);
      await vi.waitFor(() => expect(story.executionsOf(session.id)).toHaveLength(2), inTime);
      for (const runId of [session.runId, next.body.runId]) {
        await other.cancel(runId);
        await other.runWhen(runId, (run) => run.isCompleted);
      }
      expect((await story.rows(session.id)).gate).toMatchObject({ run_no: 2, live: false });
      release();
      expect(await appending).toMatchObject({ status: 200, body: { ok: true, seq: 0 } });
      await vi.waitFor(() => expect(story.executionsOf(session.id)).toContainEqual([3, 1]), inTime);
      expect((await story.settled(session.id)).gate).toMatchObject({ run_no: 3, live: true, next: 1 });
    },
  );

  heldTest(
    'after its commit, while its run hands over and ends, is met by the second run, and no third one starts (V16)',
    'append:after',
    async ({ story, one, other, session }) => {
      const appending = append(one, session.id);
      const release = await one.held('append:after');
      expect((await handOver(other, session)).body.swapped).toBe(true);
      await other.cancel(session.runId);
      await other.runWhen(session.runId, (run) => run.isCompleted);
      release();
      expect(await appending).toMatchObject({ status: 200, body: { seq: 0 } });
      await vi.waitFor(() => expect(story.executionsOf(session.id)).toHaveLength(2), inTime);
      const { gate, runs } = await story.settled(session.id);
      expect(runs.map(({ status }) => status)).toEqual(['CANCELED', 'QUEUED']);
      // The second run claimed after the record was there, and has not consumed it yet.
      expect(gate).toMatchObject({ run_no: 2, live: true, began: 1, consumed: 0 });
    },
  );

  heldTest(
    'before its commit, while the session is closed, stores nothing (V2)',
    'append:before',
    async ({ story, one, other, session }) => {
      const appending = append(one, session.id);
      const release = await one.held('append:before');
      await close(other, session.id);
      release();
      expect(await appending).toMatchObject({ status: 409, body: { code: 'session_closed', closedReason: 'over' } });
      expect(await clientRecords(story, session.id)).toEqual([]);
    },
  );

  heldTest(
    'before its commit, while another caller is told that the session has expired, stores nothing (V11)',
    'append:before',
    async ({ story, one, other, session }) => {
      const appending = append(one, session.id);
      const release = await one.held('append:before');
      await story.database.query(
        `UPDATE gates SET expires_at = clock_timestamp() - interval '1 ms' WHERE session_id = $1`,
        [session.id],
      );
      expect((await append(other, session.id, 'other')).status).toBe(400);
      const before = (await story.rows(session.id)).gate['expired_at'];
      expect(before).toBeInstanceOf(Date);
      release();
      expect(await appending).toMatchObject({ status: 400, body: { error: 'Cannot append to an expired session' } });
      expect(await clientRecords(story, session.id)).toEqual([]);
      expect((await story.rows(session.id)).gate['expired_at']).toEqual(before);
    },
  );

  heldTest(
    'after its commit is the first of its part id for another process, too, and costs no seq (V7)',
    'append:after',
    async ({ story, one, other, session }) => {
      const appending = append(one, session.id);
      const release = await one.held('append:after');
      expect((await append(other, session.id)).body).toEqual({ ok: true, seq: 0 });
      expect((await append(other, session.id, 'next')).body).toEqual({ ok: true, seq: 1 });
      release();
      expect((await appending).body).toEqual({ ok: true, seq: 0 });
      expect(await clientRecords(story, session.id)).toHaveLength(2);
    },
  );
});

describe.concurrent('appends of one part id to two processes', () => {
  storyTest('that both wait for the gate are one record (V7)', async (story) => {
    const [one, other] = [await story.api(), story.server.api];
    const { body } = await story.createUntilAnswered({ externalId: 'both wait' });
    await vi.waitFor(() => expect(story.executionsOf(body.id)).toEqual([[1, 1]]), inTime);
    const waitingSql = `SELECT count(*) AS count FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    const appends = await story.database.transaction(async (sql) => {
      await sql.query('SELECT FROM gates WHERE session_id = $1 FOR NO KEY UPDATE', [body.id]);
      const begun = [append(one, body.id), append(other, body.id)];
      // Longer than that no process may hold a lock.
      await vi.waitFor(async () => {
        const [row] = await sql.query<{ count: number }>(waitingSql);
        expect(Number(row?.count)).toBeGreaterThanOrEqual(2);
      }, 1_800);
      return begun.map((appending) => ({ appending }));
    });
    for (const { appending } of appends) expect((await appending).body).toEqual({ ok: true, seq: 0 });
    expect((await append(one, body.id, 'next')).body.seq).toBe(1);
    expect(await clientRecords(story, body.id)).toHaveLength(2);
  });
});
