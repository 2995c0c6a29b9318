import { expect, test } from 'vitest';
import { defineTask } from '../../src/tasks/define-task.ts';
import { InvalidWorkerOptions, readWorkerSettings } from '../../src/tasks/worker-settings.ts';

const task = defineTask({ id: 'my-chat', run: () => null });
const key = 'tr_dev_0123456789abcdef';

function problemsOf(...of: Parameters<typeof readWorkerSettings>): readonly string[] {
  try {
    readWorkerSettings(...of);
  } catch (error) {
    if (error instanceof InvalidWorkerOptions) return error.problems;
    throw error;
  }
  return [];
}

test('a secret key is enough', () => {
  const settings = readWorkerSettings({ tasks: [task] }, { TRIGGER_SECRET_KEY: key, TRIGGER_API_URL: '' });
  expect(settings).toMatchObject({
    environment: 'dev',
    apiUrl: null,
    address: '127.0.0.1:7233',
    namespace: 'default',
    tls: false,
    maxConcurrentRuns: 100,
    shutdownGraceMs: 10_000,
  });
  expect([...settings.queues.keys()]).toEqual(['dev/task/my-chat']);
});

test('an option wins over its variable', () => {
  const variables = { TRIGGER_SECRET_KEY: key, TEMPORAL_ADDRESS: 'a:1', TRIGGER_API_URL: 'http://a' };
  const options = {
    tasks: [task],
    secretKey: 'tr_prod_0123456789abcdef',
    apiUrl: 'https://b/',
    temporal: { address: 'b:2' },
  };
  expect(readWorkerSettings(options, variables)).toMatchObject({
    environment: 'prod',
    apiUrl: 'https://b',
    address: 'b:2',
  });
});

test('an API key turns TLS on unless the options say otherwise', () => {
  const variables = { TRIGGER_SECRET_KEY: key, TEMPORAL_API_KEY: 'k' };
  expect(readWorkerSettings({ tasks: [task] }, variables).tls).toBe(true);
  expect(readWorkerSettings({ tasks: [task], temporal: { tls: false } }, variables).tls).toBe(false);
});

test('everything that is wrong is said at once', () => {
  const other = defineTask({ id: 'my-chat', run: () => null });
  const problems = problemsOf({ tasks: [task, other], maxConcurrentRuns: 0 }, { TRIGGER_API_URL: 'ftp://x' });
  expect(problems.map((problem) => problem.split(':')[0])).toEqual([
    'tasks',
    'TRIGGER_SECRET_KEY',
    'TRIGGER_API_URL',
    'maxConcurrentRuns',
  ]);
});

test('the same task given twice is one task', () => {
  expect(problemsOf({ tasks: [task, task] }, { TRIGGER_SECRET_KEY: key })).toEqual([]);
});

test.each([
  ['no task', { tasks: [] }, 'no task'],
  ['an environment that the key does not open', { tasks: [task], environment: 'prod' }, 'one of dev'],
] as const)('%s is refused', (_, options, text) => {
  expect(problemsOf(options, { TRIGGER_SECRET_KEY: key })).toEqual([expect.stringContaining(text)]);
});

test('a key of no known environment is refused without being repeated', () => {
  const [problem = ''] = problemsOf({ tasks: [task] }, { TRIGGER_SECRET_KEY: 'tr_moon_0123456789abcdef' });
  expect(problem).toContain('TRIGGER_SECRET_KEY');
  expect(problem).not.toContain('moon');
});
