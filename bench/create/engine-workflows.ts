/** The least that a workflow can do: what the engine itself costs. */
import { condition, defineUpdate, proxyLocalActivities, setHandler } from '@temporalio/workflow';
import type { EngineActivities } from './engine-program.ts';

const { touch } = proxyLocalActivities<EngineActivities>({ startToCloseTimeout: '5s' });

export const touchUpdate = defineUpdate<void>('touch');

/** Calls one local activity and returns. */
export async function floor(key: string): Promise<void> {
  await touch(key);
}

/** Waits for an update, whose handler calls one local activity, and returns. */
export async function updated(key: string): Promise<void> {
  let isTouched = false;
  setHandler(touchUpdate, async () => {
    await touch(key);
    isTouched = true;
  });
  await condition(() => isTouched);
}
