/** What an operator sees of a session in Temporal: list filters, summary, details, the query. */
import { globalHandlers } from '@temporalio/worker/lib/workflow/vm-shared.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openIdle } from '../replay/shapes/shape.ts';
import { type Operator, operatorOf } from './operator.ts';
import { isExecuting, type OpenedSession, openStage, type Stage } from './stage.ts';
import { until, untilAtRest, untilEnded } from './wait.ts';

let stage: Stage;
let operator: Operator;

beforeAll(async () => {
  stage = await openStage();
  operator = operatorOf(stage.site);
});

afterAll(async () => {
  await stage?.stop();
});

/** Resolves once the list filter finds exactly this session among those of its task; visibility lags behind a little. */
async function untilListed(session: OpenedSession, filter: string): Promise<void> {
  const mine = `SessionId = '${session.id}'`;
  await until(
    async () => (await operator.list(`${mine} AND ${filter}`)).join() === session.workflowId,
    `${session.externalId} is listed by ${filter}`,
  );
}

test('the list finds a session by everything it is known by', async () => {
  const session = await stage.open('hold', { type: 'chat.agent', tags: ['vip', "it's"] });
  for (const filter of [
    `SessionExternalId = '${session.externalId}'`,
    "SessionType = 'chat.agent'",
    "SessionTask = 'hold'",
    "SessionTags IN ('vip') AND SessionTags = 'it''s'",
    "SessionStatus = 'ACTIVE'",
    "SessionEnvironment = 'dev'",
    "WorkflowType = 'session' AND ExecutionStatus = 'Running'",
  ])
    await untilListed(session, filter);
});

test('SessionTags follow a PATCH and a cached create, also to nothing, and of many changes the last', async () => {
  const session = await stage.open('hold', { tags: ['first'] });
  await untilListed(session, "SessionTags = 'first'");
  const patch = (tags: readonly string[]) =>
    stage.api.call(`/api/v1/sessions/${session.externalId}`, { method: 'PATCH', body: { tags } });
  await patch(['second', 'vip']);
  await untilListed(session, "SessionTags = 'second' AND SessionTags = 'vip'");
  expect(await operator.list(`SessionId = '${session.id}' AND SessionTags = 'first'`)).toEqual([]);

  await stage.api.create({ externalId: session.externalId, taskIdentifier: 'hold', tags: ['third'] });
  await untilListed(session, "SessionTags = 'third'");
  for (let change = 0; change < 20; change += 1) await patch([`change-${change}`]);
  await untilListed(session, "SessionTags = 'change-19'");
  await patch([]);
  await untilListed(session, 'SessionTags IS NULL');
  const { historyLength } = await stage.client.workflow.getHandle(session.workflowId).describe();
  expect(historyLength).toBeLessThan(150);
});

test('tags of an ended session start no workflow again', async () => {
  const session = await openIdle(stage);
  await stage.signal(session, 'close');
  await untilEnded(stage.client, session);
  const handle = () => stage.client.workflow.getHandle(session.workflowId).describe();
  const { runId } = await handle();
  const patched = await stage.api.call(`/api/v1/sessions/${session.externalId}`, {
    method: 'PATCH',
    body: { tags: ['late'] },
  });
  expect([patched.status, patched.body.tags]).toEqual([200, ['late']]);
  // One that comes after it and is waited for, so that it has had its time.
  await stage.api.call(`/api/v1/sessions/${session.externalId}/close`, { method: 'POST', body: {} });
  expect(await handle()).toMatchObject({ runId, status: { name: 'COMPLETED' } });
});

test('SessionStatus follows each transition', async () => {
  const closed = await stage.open('told');
  await stage.api.runWhen(closed.runId, isExecuting);
  await untilListed(closed, "SessionStatus = 'ACTIVE'");
  await stage.signal(closed, 'close');
  await untilListed(closed, "SessionStatus = 'CLOSED' AND ExecutionStatus = 'Running'");
  await stage.own.tell(closed.runId);
  await untilListed(closed, "SessionStatus = 'CLOSED' AND ExecutionStatus = 'Completed'");

  const expired = await openIdle(stage, { expiresAt: new Date(Date.now() + 3_000).toISOString() });
  await untilListed(expired, "SessionStatus = 'EXPIRED' AND ExecutionStatus = 'Completed'");
});

test('a workflow that adopts an ended session shows it as ended', async () => {
  const session = await openIdle(stage);
  await stage.signal(session, 'close');
  await untilEnded(stage.client, session);
  const start = { taskQueue: 'perdure/sessions', args: [{ kind: 'adopt', sessionId: session.id }] };
  await stage.client.workflow.start('session', { workflowId: `${session.workflowId}-again`, ...start });
  await until(
    async () => (await operator.list(`SessionId = '${session.id}' AND SessionStatus = 'CLOSED'`)).length === 2,
    'both are listed as closed',
  );
});

test('the summary names the session; the current details say what it is doing', async () => {
  const session = await stage.open('told');
  await stage.api.runWhen(session.runId, isExecuting);
  const handle = stage.client.workflow.getHandle(session.workflowId);
  const described = await handle.describe();
  expect(await described.staticSummary()).toBe(`chat.agent ${session.externalId} (told)`);

  const details = async () => {
    const answer = await operator.query(session.workflowId, '__temporal_workflow_metadata');
    return (answer as { currentDetails: string }).currentDetails;
  };
  expect(await details()).toContain(`\`${session.id}\` is **open**, run 1 is live.`);
  expect(await details()).toContain(`open runs: \`${session.runId}\``);
  expect(await details()).toContain(`${stage.server.url}/api/v1/sessions/${session.id}`);
  await stage.signal(session, 'close');
  await untilAtRest(stage.client, session);
  expect(await details()).toContain(`\`${session.id}\` is **closed**, run 1 is live.`);
  await stage.own.tell(session.runId);
  await untilEnded(stage.client, session);
  expect(await details()).toContain(`\`${session.id}\` is **closed**, run 1 is over.`);
  expect(await details()).toContain('open runs: none');
});

test('the metadata lists every signal an operator may send', async () => {
  const session = await openIdle(stage);
  const metadata = (await operator.query(session.workflowId, '__temporal_workflow_metadata')) as {
    definition: { signalDefinitions: readonly { name: string }[] };
  };
  expect(metadata.definition.signalDefinitions.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['cancelRun', 'close', 'expire', 'poke', 'reschedule']),
  );
});

test('describe tells the state, the runs and the expiry', async () => {
  const expiresAt = '2100-01-01T00:00:00.000Z';
  const session = await stage.open('told', { expiresAt });
  await stage.api.runWhen(session.runId, isExecuting);
  const described = { sessionId: session.id, state: 'open', runNumber: 1, openRuns: [session.runId], expiresAt };
  // The command line shows an empty list as null.
  const ended = { ...described, state: 'closed', openRuns: null };
  expect(await operator.query(session.workflowId, 'describe')).toEqual(described);
  await stage.signal(session, 'close');
  await stage.own.tell(session.runId);
  await untilEnded(stage.client, session);
  expect(await operator.query(session.workflowId, 'describe')).toEqual(ended);
});

test('a run shows on the timeline under its own id, with task, reason and attempts', async () => {
  const session = await stage.open('hold', { triggerConfig: { basePayload: {}, maxAttempts: 1 } });
  await stage.api.runWhen(session.runId, isExecuting);
  const { raw } = await stage.client.workflow.getHandle(session.workflowId).describe();
  expect(raw.pendingActivities?.map(({ activityId, activityType }) => [activityId, activityType?.name])).toEqual([
    [session.runId, 'hold'],
  ]);
  const { events } = await stage.client.workflow.getHandle(session.workflowId).fetchHistory();
  const scheduled = events?.find(({ activityTaskScheduledEventAttributes: attributes }) => attributes);
  const summary = scheduled?.userMetadata?.summary?.data ?? new Uint8Array();
  expect(new TextDecoder().decode(summary)).toBe('"run 1 of hold: initial, up to 1 attempt"');
});

test('a stack trace is refused in words: the worker watches no promise, neither of workflows nor of the process', async () => {
  const session = await stage.open('hold');
  const asked = stage.client.workflow.getHandle(session.workflowId).query('__stack_trace');
  await expect(asked).rejects.toThrow('stack traces are not enabled');
  expect(globalHandlers.installed).toBe(false);
});
