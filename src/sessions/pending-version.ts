/** A run that is locked to a version nobody serves waits, and its caller is told so. */

import type { EnvironmentName } from '../domain/ids.ts';
import { taskQueueCandidates } from '../domain/task-queue.ts';
import type { TriggerConfig } from '../domain/trigger-config.ts';
import type { RunObserver } from './ports.ts';

export interface VersionedTask {
  readonly environment: EnvironmentName;
  readonly taskIdentifier: string;
  readonly options: Pick<TriggerConfig, 'queue' | 'machine' | 'region' | 'lockToVersion'>;
}

export async function isPendingVersion(observer: Pick<RunObserver, 'isServed'>, task: VersionedTask): Promise<boolean> {
  if (task.options.lockToVersion === undefined) return false;
  for (const taskQueue of taskQueueCandidates(task)) if (await observer.isServed(taskQueue)) return false;
  return true;
}
