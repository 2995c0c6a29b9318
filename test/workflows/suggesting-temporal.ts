/** A Temporal of a test's own that suggests continue-as-new early: by default it does so after 4,096 events. */
import type { PrivateTemporal } from '../harness/private-temporal.ts';
import { startTunedTemporal } from '../harness/tuned-temporal.ts';
import type { OpenedSession, Stage } from './stage.ts';
import { type Execution, untilAtRest } from './wait.ts';

/** A session that was created, ran once and is idle has twelve; each signal adds five. */
const suggestedEvents = 30;
const pokesMax = 10;

export const startSuggestingTemporal = (): Promise<PrivateTemporal> =>
  startTunedTemporal(`limit.historyCount.suggestContinueAsNew=${suggestedEvents}`);

/** Pokes an idle session until it has continued as new and is idle again; answers the execution that it left. */
export async function outgrow(stage: Stage, session: OpenedSession): Promise<Execution> {
  const handle = stage.client.workflow.getHandle(session.workflowId);
  const { runId } = await handle.describe();
  for (let sent = 0; sent < pokesMax; sent += 1) {
    await handle.signal('poke');
    await untilAtRest(stage.client, session);
    if ((await handle.describe()).runId === runId) continue;
    await untilAtRest(stage.client, session);
    return { workflowId: session.workflowId, temporalRunId: runId };
  }
  throw new Error(`${session.workflowId} did not continue as new`);
}
