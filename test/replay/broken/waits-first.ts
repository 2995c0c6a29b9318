/** The workflow with one more timer before its first transition. */
import { sleep } from '@temporalio/workflow';
import type { SessionInput } from '../../../workflows/messages.ts';
import { session as current } from '../../../workflows/session.ts';

export { reconcile } from '../../../workflows/reconcile.ts';

export async function session(input: SessionInput): Promise<void> {
  await sleep(1);
  await current(input);
}
