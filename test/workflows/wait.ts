/** Waits on conditions, with a deadline and a name. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';

const deadlineMs = 20_000;
const pollIntervalMs = 20;

type OrNotYet<Value> = Value | null | undefined | false;

/** What `read` answers once that is neither null, undefined nor false. */
export async function until<Value>(
  read: () => Promise<OrNotYet<Value>> | OrNotYet<Value>,
  what: string,
): Promise<Value> {
  for (const endAt = Date.now() + deadlineMs; Date.now() < endAt; await sleep(pollIntervalMs)) {
    const found = await read();
    if (found !== null && found !== undefined && found !== false) return found;
  }
  throw new Error(`not within ${deadlineMs / 1000} s: ${what}`);
}

export interface Execution {
  readonly workflowId: string;
  /** Default: the newest one of that id. */
  readonly temporalRunId?: string;
}

/** Of an execution whose first workflow task is done. */
const eventsMin = 4;

/** Everything that the workflow was sent is answered: no workflow task is scheduled or under way, nor is the first yet to be. */
export async function untilAtRest(client: Client, { workflowId, temporalRunId }: Execution): Promise<void> {
  const handle = client.workflow.getHandle(workflowId, temporalRunId);
  await until(async () => {
    const { raw, historyLength } = await handle.describe();
    return (raw.pendingWorkflowTask ?? null) === null && historyLength >= eventsMin;
  }, `${workflowId} is at rest`);
}

/** Resolves to how it ended, such as `COMPLETED`. */
export async function untilEnded(client: Client, { workflowId, temporalRunId }: Execution): Promise<string> {
  const handle = client.workflow.getHandle(workflowId, temporalRunId);
  return until(async () => {
    const { status } = await handle.describe();
    return status.name !== 'RUNNING' && status.name;
  }, `${workflowId} ends`);
}
