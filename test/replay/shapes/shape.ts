import type { OpenedSession, Stage } from '../../workflows/stage.ts';
import { isCompleted } from '../../workflows/stage.ts';
import { type Execution, untilAtRest } from '../../workflows/wait.ts';

export interface Shape {
  /** What its history holds, at least, in the words of `outline.ts`. */
  readonly shows: readonly string[];
  /** Brings a session into this shape on the real engines; answers once nothing is under way. */
  drive(stage: Stage): Promise<Execution>;
}

/** A session whose first run is over and that waits for what comes. */
export async function openIdle(stage: Stage, changes?: Readonly<Record<string, unknown>>): Promise<OpenedSession> {
  const session = await stage.open('quick', changes);
  await stage.api.runWhen(session.runId, isCompleted);
  await untilAtRest(stage.client, session);
  return session;
}

/** Id of a session's run with this number, once it has one. */
export async function runIdOf(stage: Stage, session: OpenedSession, number: number): Promise<string | undefined> {
  const { runs } = await stage.rows(session);
  return runs.find((run) => run['no'] === number)?.['id'] as string | undefined;
}
