/** POST /api/v2/runs/{run}/cancel, on the real engines. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import { defineTask } from '../../src/tasks/index.ts';
import { hasStarted, isCompleted, openRunStage, type RunStage, unknownRunId } from './run-stage.ts';

let stage: RunStage;
beforeAll(async () => {
  stage = await openRunStage();
});
afterAll(() => stage?.stop());

// Alone, and asked again once: what is measured are seconds, and a machine may be busy with something else.
test('a cancellation reaches the signal of a running attempt within two seconds', { retry: 1 }, async ({ expect }) => {
  const triggered = await Promise.all(Array.from({ length: 8 }, () => stage.trigger('listening')));
  const latenciesMs = await Promise.all(
    triggered.map(async ({ runId }) => {
      await stage.api.runWhen(runId, hasStarted);
      const askedAtMs = Date.now();
      expect(await stage.api.cancel(runId)).toMatchObject({ status: 200, body: { id: runId } });
      expect((await stage.api.runWhen(runId, isCompleted)).status).toBe('CANCELED');
      return (stage.watched.signalledAtMs.get(runId) ?? Number.NaN) - askedAtMs;
    }),
  );
  expect(Math.max(...latenciesMs)).toBeLessThan(2_000);
});

describe.concurrent('a cancellation', () => {
  test('of a run that no worker has taken ends it, and no worker gets it any more', async ({ expect }) => {
    const { runId } = await stage.trigger('late-served');
    expect(await stage.api.cancel(runId)).toMatchObject({ status: 200, body: { id: runId } });
    expect((await stage.api.run(runId)).body).toMatchObject({ status: 'CANCELED', attemptCount: 0, durationMs: 0 });
    const executed: string[] = [];
    const worker = await stage.serve(
      defineTask({ id: 'late-served', run: (_payload, { run }) => void executed.push(run.id) }),
    );
    const later = await stage.trigger('late-served');
    await stage.api.runWhen(later.runId, isCompleted);
    expect(executed).toEqual([later.runId]);
    await worker.stop();
  });

  test('of a run that has ended changes nothing', async ({ expect }) => {
    const { runId } = await stage.trigger('returning', { basePayload: { value: 'kept' } });
    const before = await stage.api.runWhen(runId, isCompleted);
    const answers = await Promise.all([stage.api.cancel(runId), stage.api.cancel(runId)]);
    expect(answers).toMatchObject([{ status: 200, body: { id: runId } }, { status: 200 }]);
    expect((await stage.api.run(runId)).body).toEqual(before);
  });

  test('is answered in time also when the task ignores it, and stands', async ({ expect }) => {
    const { runId } = await stage.trigger('stubborn');
    await stage.api.runWhen(runId, hasStarted);
    const askedAtMs = Date.now();
    expect(await stage.api.cancel(runId)).toMatchObject({ status: 200, body: { id: runId } });
    expect(Date.now() - askedAtMs).toBeLessThan(8_000);
    expect((await stage.api.run(runId)).body).toMatchObject({ status: 'EXECUTING' });
    stage.watched.release(runId);
    const run = await stage.api.runWhen(runId, isCompleted);
    expect(run.status).toBe('CANCELED');
    expect(run.output).toBeUndefined();
  });

  test('sent by many at once ends the run once', async ({ expect }) => {
    const { runId } = await stage.trigger('hold');
    await stage.api.runWhen(runId, hasStarted);
    const answers = await Promise.all(Array.from({ length: 10 }, () => stage.api.cancel(runId)));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`))).toEqual(new Set([`200 ${runId}`]));
    expect((await stage.api.runWhen(runId, isCompleted)).status).toBe('CANCELED');
  });

  test('leaves the session open, and the next create continues it', async ({ expect }) => {
    const externalId = 'cancelled-and-continued';
    const first = await stage.api.create({ externalId });
    await stage.api.runWhen(first.body.runId, hasStarted);
    await stage.api.cancel(first.body.runId);
    await stage.api.runWhen(first.body.runId, isCompleted);
    expect((await stage.api.session(externalId)).body).toMatchObject({ closedAt: null, currentRunId: null });
    const second = await stage.api.create({ externalId });
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id, isCached: true } });
    const run = await stage.api.runWhen(second.body.runId, hasStarted);
    expect(run.payload).toMatchObject({ continuation: true, previousRunId: first.body.runId });
    expect((await stage.api.run(first.body.runId)).body.status).toBe('CANCELED');
  });
});

describe.concurrent('who may cancel a run', () => {
  test('only the environment of the run, and a token that writes it or its task', async ({ expect }) => {
    const { runId } = await stage.trigger('returning');
    const statusFor = async (...scopes: string[]) =>
      (await stage.api.cancel(runId, { key: await stage.tokenOf(...scopes) })).status;
    const passing = [`write:runs:${runId}`, 'write:runs', 'write:tasks:returning', 'write:all', 'admin'];
    for (const scope of passing) expect([scope, await statusFor(scope)]).toEqual([scope, 200]);
    expect(await statusFor(`read:runs:${runId}`, `write:runs:${unknownRunId}`, 'write:tasks:other')).toBe(403);
    expect((await stage.api.cancel(runId, { key: stage.site.prodKey })).status).toBe(404);
    expect((await stage.api.cancel(runId, { key: null })).status).toBe(401);
  });

  test('who may not does not even learn whether it exists (I8)', async ({ expect }) => {
    const cancel = async (runId: string, ...scopes: string[]) => {
      const key = scopes.length === 0 ? stage.site.devKey : await stage.tokenOf(...scopes);
      const { status, body } = await stage.api.cancel(runId, { key });
      return [status, body.error];
    };
    expect(await cancel(unknownRunId)).toEqual([404, 'Run not found']);
    expect(await cancel('nonsense')).toEqual([404, 'Run not found']);
    expect(await cancel(unknownRunId, `write:runs:${unknownRunId}`)).toEqual([404, 'Run not found']);
    expect(await cancel('nonsense', 'write:runs')).toEqual([404, 'Run not found']);
    expect(await cancel(unknownRunId, 'write:runs:run_1')).toEqual([403, 'Unauthorized']);
    expect(await cancel(unknownRunId, 'write:tasks:hold')).toEqual([403, 'Unauthorized']);
  });
});
