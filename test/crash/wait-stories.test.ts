/** Waits of runs and the records that end them, at two API processes of which one is held or killed in the middle. */
import { describe, expect, vi } from 'vitest';
import type { Answer, Api } from '../harness/api.ts';
import { type Story, type StoryApi, storyTest } from './story.ts';

const inTime = { timeout: 40_000, interval: 50 };

interface Waiting {
  readonly story: Story;
  readonly one: StoryApi;
  readonly other: Api;
  readonly session: { readonly id: string; readonly runId: string };
}

const append = (api: Api, { session }: Waiting): Promise<Answer> =>
  api.call(`/realtime/v1/sessions/${session.id}/in/append`, { method: 'POST', body: 'wake up' });

const register = (api: Api, { session }: Waiting): Promise<Answer> =>
  api.call(`/api/v1/runs/${session.runId}/session-streams/wait`, {
    method: 'POST',
    body: { session: session.id, io: 'in', timeout: '1h' },
  });

/** The call that lasts until the wait is over. */
const hold = (api: Api, { session }: Waiting, waitpointId: string): Promise<Answer> =>
  api.call(`/engine/v1/runs/${session.runId}/waitpoints/tokens/${waitpointId}/wait`, { method: 'POST' });

const woken = { status: 200, body: { success: true, status: 'COMPLETED', output: 'wake up' } };

function waitTest(name: string, failpoint: string, tell: (waiting: Waiting) => Promise<void>): void {
  storyTest(name, async (story) => {
    const one = await story.api(failpoint);
    const { body } = await story.createUntilAnswered({ externalId: name });
    await vi.waitFor(() => expect(story.executionsOf(body.id)).toEqual([[1, 1]]), inTime);
    await tell({ story, one, other: story.server.api, session: { id: body.id, runId: body.runId } });
  });
}

describe.concurrent('a wait', () => {
  waitTest(
    'that is held before it is registered finds the record of another process (V7)',
    'waitpoint:before=hold',
    async (waiting) => {
      const registering = register(waiting.one, waiting);
      const release = await waiting.one.held('waitpoint:before');
      expect((await append(waiting.other, waiting)).body).toEqual({ ok: true, seq: 0 });
      release();
      const { body } = await registering;
      expect(await hold(waiting.other, waiting, body.waitpointId)).toMatchObject(woken);
    },
  );

  waitTest('finds a record that is committed and not acknowledged yet (V7)', 'append:after=hold', async (waiting) => {
    const appending = append(waiting.one, waiting);
    const release = await waiting.one.held('append:after');
    const { body } = await register(waiting.other, waiting);
    expect(await hold(waiting.other, waiting, body.waitpointId)).toMatchObject(woken);
    release();
    expect((await appending).body).toEqual({ ok: true, seq: 0 });
  });

  waitTest(
    'ends with the commit, though the process that committed dies before it tells anybody (V7)',
    'append:after=kill',
    async (waiting) => {
      const { body } = await register(waiting.other, waiting);
      const holding = hold(waiting.other, waiting, body.waitpointId);
      await expect(append(waiting.one, waiting)).rejects.toThrow(/fetch failed/);
      expect(await holding).toMatchObject(woken);
    },
  );

  waitTest(
    'that has ended leaves its record to the next run if this one ends without an answer (V8)',
    '',
    async (waiting) => {
      const { story, other, session } = waiting;
      const { body } = await register(other, waiting);
      await append(waiting.one, waiting);
      expect(await hold(other, waiting, body.waitpointId)).toMatchObject(woken);
      expect((await story.rows(session.id)).gate).toMatchObject({ consumed: 0 });
      await other.cancel(session.runId);
      await vi.waitFor(() => expect(story.executionsOf(session.id)).toContainEqual([2, 1]), inTime);
      expect((await story.settled(session.id)).gate).toMatchObject({ run_no: 2, live: true, began: 1, consumed: 0 });
    },
  );
});
