/**
 * Requests that nobody would think of, made from the API document by Schemathesis: no 5xx, no status, type, header or
 * body that the document does not declare. A failure shows a command that repeats it, and the seed is printed.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apiDocument } from '../harness/api-document.ts';
import { installTimeoutMs, whyNoPython } from '../harness/python-packages.ts';
import { openSessionStage, type SessionStage } from '../http/session-stage.ts';
import { type FuzzOrder, type FuzzReport, fuzz, installedFuzzer } from './schemathesis.ts';

const whyNot = await whyNoPython();
if (whyNot !== null && process.env['CI']) throw new Error(`the API is fuzzed, but ${whyNot}`);
if (whyNot !== null) console.warn(`No Python on this machine (${whyNot}): the API is not fuzzed.`);

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_124);
const fuzzTimeoutMs = 300_000;

describe.skipIf(whyNot !== null)('requests made from the API document', () => {
  let stage: SessionStage;
  let known: Record<string, readonly string[]>;

  beforeAll(async () => {
    await installedFuzzer();
    stage = await openSessionStage();
    known = await populate(stage);
  }, installTimeoutMs);

  afterAll(() => stage?.stop());

  const fuzzWith = (
    order: Pick<FuzzOrder, 'phases' | 'cases' | 'secondsMax' | 'document'>,
    credential = stage.site.devKey,
  ) => fuzz({ ...order, url: stage.server.url, credential, seed, known });

  test('at random, and from what answers gave, are answered as it says', { timeout: fuzzTimeoutMs }, async () => {
    const report = await fuzzWith({ phases: ['fuzzing', 'stateful'], cases: 8, secondsMax: null });
    expectClean(report);
    expect(report.operations).toMatchObject({ tested: report.operations.total, errored: 0 });
    // Requests that are refused for their form alone would prove little.
    const accepted = Object.keys(report.valid_rates).filter((operation) => acceptedOf(report, operation) > 0);
    expect(accepted.length).toBeGreaterThan(report.operations.total / 2);
  });

  test('for every keyword of a schema are answered as it says', { timeout: fuzzTimeoutMs }, async () => {
    const report = await fuzzWith({ phases: ['coverage'], cases: 1, secondsMax: 40 });
    expectClean(report);
    expect(report.test_cases.generated).toBeGreaterThan(50);
  });

  test('of a public token are answered as it says', { timeout: fuzzTimeoutMs }, async () => {
    const { body } = await stage.api.call('/api/v1/auth/public-tokens', {
      method: 'POST',
      body: { scopes: ['read:sessions', 'write:sessions', 'read:tasks'] },
    });
    expectClean(await fuzzWith({ phases: ['fuzzing'], cases: 4, secondsMax: null }, body.token));
  });

  test('show what a document gets wrong', { timeout: fuzzTimeoutMs }, async () => {
    const path = '/api/v1/sessions/{session}';
    const document = structuredClone({ ...apiDocument, paths: { [path]: { get: apiDocument.paths[path].get } } });
    const { responses } = document.paths[path].get;
    responses['200'].content['application/json'].schema = { type: 'object', required: ['rows'] };
    delete responses['404'];
    const { failures } = await fuzzWith({ document, phases: ['fuzzing'], cases: 30, secondsMax: null });
    const titles = failures.map(({ title }) => title);
    expect(titles).toEqual(expect.arrayContaining(['Response violates schema', 'Undocumented status code']));
  });
});

function expectClean(report: FuzzReport): void {
  console.log(`seed ${seed}: ${report.test_cases.generated} requests to ${report.operations.tested} operations`);
  const { failures, errors, complete } = report;
  if (failures.length + errors.length > 0) console.error(report.text.slice(0, 20_000));
  expect({ failures, errors, complete }).toEqual({ failures: [], errors: [], complete: true });
}

const acceptedOf = ({ valid_rates: rates }: FuzzReport, operation: string): number =>
  Object.values(rates[operation] ?? {}).reduce((sum, { accepted }) => sum + accepted, 0);

/** Sessions in every state, by both of their ids, and what hangs on them. */
async function populate(stage: SessionStage): Promise<Record<string, readonly string[]>> {
  const [running, idle, closed, expired] = await Promise.all(
    (['open running', 'open idle', 'closed', 'expired'] as const).map((state) => stage.inState(state)),
  );
  if (running === undefined || idle === undefined || closed === undefined || expired === undefined) throw new Error();
  await stage.api.call(`/realtime/v1/sessions/${running.id}/in/append`, { method: 'POST', body: 'first' });
  const wait = await stage.api.call(`/api/v1/runs/${running.runId}/session-streams/wait`, {
    method: 'POST',
    body: { session: running.id, io: 'in' },
  });
  const sessions = [running, idle, closed, expired].flatMap(({ id, externalId }) => [id, externalId]);
  const runs = [running.runId, idle.runId];
  return {
    'path.session': sessions,
    'path.run': runs,
    'path.waitpoint': [wait.body.waitpointId],
    'path.asset': ['start.js', 'swagger-ui.css'],
    'body.session': sessions,
    'body.callingRunId': runs,
  };
}
