/** Which Temporal task queues a worker polls so that the runs it is meant for reach it. */
import type { EnvironmentName } from '../domain/ids.ts';
import { taskQueueCandidates } from '../domain/task-queue.ts';
import type { Machine } from '../domain/trigger-config.ts';

/** Where a worker stands; absent fields are absent. */
export interface Placement {
  readonly environment: EnvironmentName;
  /** Serve sessions whose `triggerConfig.queue` names this queue, instead of the tasks' own queues. */
  readonly queue?: string;
  /** Serve runs locked to this version, and no others. */
  readonly version?: string;
  readonly machine?: Machine;
  readonly region?: string;
}

/**
 * Queue name -> ids of the tasks served there. Tasks that meet on one queue share one Temporal worker: two
 * workers of different tasks on one queue would take and fail each other's runs.
 */
export function servedQueues(taskIds: readonly string[], placement: Placement): ReadonlyMap<string, readonly string[]> {
  const queues = new Map<string, string[]>();
  for (const id of taskIds) {
    for (const queue of queuesOf(id, placement)) {
      const served = queues.get(queue);
      if (served === undefined) queues.set(queue, [id]);
      else served.push(id);
    }
  }
  return queues;
}

/** Every queue that a run could be sent to for which this worker is the right one. */
function queuesOf(taskIdentifier: string, placement: Placement): ReadonlySet<string> {
  const { environment, queue, version, machine, region } = placement;
  const shared = {
    ...(queue === undefined ? {} : { queue }),
    ...(version === undefined ? {} : { lockToVersion: version }),
  };
  const inRegion = region === undefined ? {} : { region };
  const onMachine = machine === undefined ? {} : { machine };
  const asked = [
    { ...shared, ...onMachine, ...inRegion },
    { ...shared, ...inRegion },
  ];
  return new Set(asked.flatMap((options) => taskQueueCandidates({ environment, taskIdentifier, options })));
}
