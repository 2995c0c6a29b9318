import { expect, test } from 'vitest';
import { taskQueueCandidates } from '../../src/domain/task-queue.ts';
import { servedQueues } from '../../src/tasks/served-queues.ts';

const queuesOf = (...of: Parameters<typeof servedQueues>): string[] => [...servedQueues(...of).keys()].sort();

test('each task has a queue of its own', () => {
  expect([...servedQueues(['a', 'b'], { environment: 'dev' })]).toEqual([
    ['dev/task/a', ['a']],
    ['dev/task/b', ['b']],
  ]);
});

test('tasks of one named queue are served together', () => {
  expect([...servedQueues(['a', 'b'], { environment: 'prod', queue: 'vip' })]).toEqual([['prod/vip', ['a', 'b']]]);
});

test('a version is exact: its worker leaves the plain queue alone', () => {
  expect(queuesOf(['a'], { environment: 'dev', version: '20240523.1' })).toEqual(['dev/task/a@20240523.1']);
});

test('machine and region add queues', () => {
  expect(queuesOf(['a'], { environment: 'dev', machine: 'small-1x' })).toEqual(['dev/task/a', 'dev/task/a/small-1x']);
  expect(queuesOf(['a'], { environment: 'dev', region: 'eu' })).toEqual(['dev/task/a', 'dev/task/a/eu']);
  expect(queuesOf(['a'], { environment: 'dev', queue: 'q', version: 'v', machine: 'micro', region: 'eu' })).toEqual([
    'dev/q@v',
    'dev/q@v/eu',
    'dev/q@v/micro',
    'dev/q@v/micro/eu',
  ]);
});

test('whatever a run asks for that a worker offers, the worker polls the queue that the run would choose first', () => {
  const placement = { environment: 'dev', machine: 'micro', region: 'eu' } as const;
  const served = servedQueues(['a'], placement);
  const asked = [{}, { machine: 'micro' }, { region: 'eu' }, { machine: 'micro', region: 'eu' }] as const;
  for (const options of asked) {
    const [first] = taskQueueCandidates({ environment: 'dev', taskIdentifier: 'a', options });
    expect(served.has(first)).toBe(true);
  }
});
