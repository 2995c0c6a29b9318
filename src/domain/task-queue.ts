/**
 * Which Temporal task queue a run goes to (architecture section 4). A Temporal worker fails tasks whose
 * activity type it does not know, so by default each task has a queue of its own.
 */
import type { EnvironmentName } from './ids.ts';
import type { RunOptions } from './trigger-config.ts';

export interface TaskQueueOrder {
  readonly environment: EnvironmentName;
  readonly taskIdentifier: string;
  readonly options: Pick<RunOptions, 'queue' | 'machine' | 'region' | 'lockToVersion'>;
}

/** The queue that serves a task unless a session's `triggerConfig.queue` names another. */
const defaultTaskQueue = (environment: EnvironmentName, taskIdentifier: string): string =>
  `${environment}/task/${taskIdentifier}`;

/**
 * Queues to try, most specific first; the last one takes the run when nobody polls the others.
 * A version is exact: a run locked to it waits for a worker of that version, and never falls back.
 */
export function taskQueueCandidates(order: TaskQueueOrder): readonly [string, ...string[]] {
  const { queue, machine, region, lockToVersion } = order.options;
  const base =
    queue === undefined ? defaultTaskQueue(order.environment, order.taskIdentifier) : `${order.environment}/${queue}`;
  const plain = lockToVersion === undefined ? base : `${base}@${lockToVersion}`;
  if (machine !== undefined && region !== undefined) {
    return [`${plain}/${machine}/${region}`, `${plain}/${machine}`, plain];
  }
  if (machine !== undefined) return [`${plain}/${machine}`, plain];
  if (region !== undefined) return [`${plain}/${region}`, plain];
  return [plain];
}

/** Temporal caps a fairness key at 64 bytes; a longer one keeps its end, where keys tend to differ. */
export function fairnessKeyOf(concurrencyKey: string): string {
  const ascii = concurrencyKey.replace(
    /[^\x21-\x7e]/g,
    (character) => `%${(character.codePointAt(0) ?? 0).toString(16)}`,
  );
  return ascii.slice(-64);
}
