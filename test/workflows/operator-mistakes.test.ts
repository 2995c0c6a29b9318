/** What an operator types by mistake. The database would refuse some of it, and a refused order is tried for ever. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchHistory } from '../replay/histories.ts';
import { outlineOf } from '../replay/outline.ts';
import { openIdle } from '../replay/shapes/shape.ts';
import { isCompleted, type OpenedSession, openStage, type Stage } from './stage.ts';
import { untilAtRest, untilEnded } from './wait.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(async () => {
  await stage?.stop();
});

/** Whatever it was sent, it runs what its row shows and takes the next orders. */
async function expectWorking(session: OpenedSession): Promise<void> {
  await untilAtRest(stage.client, session);
  const { body } = await stage.api.create({ externalId: session.externalId, taskIdentifier: 'quick' });
  await stage.api.runWhen(body.runId, isCompleted);
  await stage.signal(session, 'close');
  expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
  const { gate, runs } = await stage.rows(session);
  expect(gate['closed_at']).not.toBeNull();
  const unknown = runs
    .map(({ reason }) => String(reason))
    .filter((reason) => !/^(?:initial|continuation|upgrade|manual)$/.test(reason));
  expect(unknown).toEqual([]);
}

const nothings = ['null', '"text"', '7', 'true', '[]', '{}', '{"runNumber":"1"}', '{"runNumber":-1}', '{"runId":{}}'];
const names = ['ensure', 'wake', 'endAndContinue', 'cancelRun', 'closed'];

test.each(names)('text that is no order changes no row and fails no task: %s', async (name) => {
  const session = await openIdle(stage);
  const before = await stage.rows(session);
  await stage.signal(session, name);
  for (const typed of nothings) await stage.signal(session, name, JSON.parse(typed));
  await untilAtRest(stage.client, session);
  expect(await stage.rows(session)).toEqual(before);
  const history = await fetchHistory(stage.client, session);
  expect(outlineOf(history).filter((event) => event.startsWith('refused'))).toEqual([]);
});

const halfOrders = [
  { what: 'no reason', order: {} },
  { what: 'a reason that no run has', order: { reason: 'because' } },
  { what: 'a row of its own', order: { reason: 'manual', sessionId: 'session_of_nobody' } },
  { what: 'an owner of its own', order: { reason: 'manual', owner: { id: 'me', startedAtMs: 0 } } },
  { what: 'a count of its own', order: { reason: 'manual', scheduled: 99 } },
  { what: 'a deployment that is none', order: { reason: 'upgrade', externalDeploymentId: { deployment: 2 } } },
];

test.each(halfOrders)('half a hand-over, with $what, leaves a session that works', async ({ order }) => {
  const session = await openIdle(stage);
  const typed = { runNumber: 1, requestKey: 'typed', externalDeploymentId: null, ...order };
  await stage.signal(session, 'endAndContinue', typed);
  await expectWorking(session);
});

const oddReasons = [
  { what: 'number', reason: 42 },
  { what: 'truth', reason: true },
  { what: 'object', reason: { code: 7 } },
  { what: 'list', reason: ['a'] },
  { what: 'text with U+0000', reason: 'nul \u0000 in it' },
  { what: 'text of 50,000 characters', reason: 'long '.repeat(10_000) },
];

test.each(oddReasons)('a close for the reason $what closes', async ({ reason }) => {
  const session = await openIdle(stage);
  await stage.signal(session, 'close', { reason, callingRunId: { not: 'an id' } });
  expect(await untilEnded(stage.client, session)).toBe('COMPLETED');
  const { gate } = await stage.rows(session);
  const kept = gate['closed_reason'] as string | null;
  expect(kept?.length ?? 0).toBeLessThanOrEqual(256);
});

test('a payload that cannot be decoded changes nothing', async () => {
  const session = await openIdle(stage);
  for (const [encoding, data] of [
    ['json/plain', '{reason: oops'],
    ['json/protobuf', '{}'],
    ['binary/encrypted', 'x'],
  ] as const) {
    await stage.client.workflowService.signalWorkflowExecution({
      namespace: stage.site.namespace,
      workflowExecution: { workflowId: session.workflowId },
      signalName: 'ensure',
      input: { payloads: [{ metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(data) }] },
    });
  }
  await expectWorking(session);
});
