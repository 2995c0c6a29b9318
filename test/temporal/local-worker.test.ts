/** What a start brings so that Temporal need not write it after the first step. */
import { defineSearchAttributeKey } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PrivateTemporal } from '../harness/private-temporal.ts';
import { startTunedTemporal } from '../harness/tuned-temporal.ts';
import { isCompleted, type OpenedSession, openStage, type Stage } from '../workflows/stage.ts';

const buildIds = defineSearchAttributeKey('BuildIds', 'KEYWORD_LIST');

/** As a list of builds stands in the first event, before any worker has done anything; null where there is none. */
async function broughtBy(stage: Stage, { workflowId }: OpenedSession): Promise<string[] | null> {
  const { events } = await stage.client.workflow.getHandle(workflowId).fetchHistory();
  const started = events?.[0]?.workflowExecutionStartedEventAttributes;
  const data = started?.searchAttributes?.indexedFields?.[buildIds.name]?.data;
  return data === undefined || data === null ? null : JSON.parse(Buffer.from(data).toString());
}

const shownFor = async (stage: Stage, { workflowId }: OpenedSession): Promise<unknown> =>
  (await stage.client.workflow.getHandle(workflowId).describe()).typedSearchAttributes.get(buildIds);

async function openIdle(stage: Stage): Promise<OpenedSession> {
  const session = await stage.open('quick');
  await stage.api.runWhen(session.runId, isCompleted);
  return session;
}

describe('a server that lets a start name its build', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage?.stop());

  test('the start brings the list as the server itself makes it, so that a step changes nothing', async () => {
    const session = await openIdle(stage);
    const brought = await broughtBy(stage, session);
    expect(brought).toEqual([
      'unversioned',
      expect.stringMatching(/^unversioned:@temporalio\/worker@.+\+[0-9a-f]{64}$/),
    ]);
    expect(await shownFor(stage, session)).toEqual(brought);

    // Started by an operator's signal, which brings no list: what is shown is the server's own.
    await stage.client.workflow.getHandle(session.workflowId).terminate('lost');
    const { signaledRunId } = await stage.client.workflow.signalWithStart('session', {
      workflowId: session.workflowId,
      taskQueue: 'perdure/sessions',
      args: [{ kind: 'adopt', sessionId: session.id }],
      signal: 'poke',
    });
    const again = stage.client.workflow.getHandle(session.workflowId, signaledRunId);
    await expect.poll(async () => (await again.describe()).typedSearchAttributes.get(buildIds)).toEqual(brought);
  });
});

describe('a server that refuses to', () => {
  let temporal: PrivateTemporal;
  let stage: Stage;

  beforeAll(async () => {
    // As many as a session without tags has of its own.
    temporal = await startTunedTemporal('frontend.searchAttributesNumberOfKeysLimit=6');
    stage = await openStage(temporal.address);
  });
  afterAll(async () => {
    await stage?.stop();
    await temporal?.stop();
  });

  test('sessions are created all the same, also those under way at once', async () => {
    const sessions = await Promise.all([openIdle(stage), openIdle(stage), openIdle(stage)]);
    for (const session of [...sessions, await openIdle(stage)]) {
      expect(await broughtBy(stage, session)).toBeNull();
      expect((await stage.rows(session)).runs).toHaveLength(1);
    }
  });
});
