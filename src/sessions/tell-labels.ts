/**
 * Workflows are told that their session's tags have changed, so that operators find it by them. Nobody waits for that,
 * and no answer depends on it. Per session at most one telling an interval: a history has room for ten thousand signals.
 * The workflow reads the row when it is told, so the last telling covers all changes before it.
 */
import type { SessionId } from '../domain/ids.ts';
import type { Session } from '../domain/session.ts';
import type { SessionOrders } from './ports.ts';

/** Of one session, and sessions that one process tells of at once. */
const relabelIntervalMs = 1_000;
const labelsToldAtOnceMax = 10_000;

export interface LabelTellerDeps {
  readonly orders: Pick<SessionOrders, 'relabel'>;
  /** Temporal shows the old tags until they change again. */
  readonly onUntold: (sessionId: SessionId, cause: unknown) => void;
}

type Labelled = Pick<Session, 'id' | 'workflowId'>;

export type TellLabels = (session: Labelled) => void;

export function labelTeller({ orders, onUntold }: LabelTellerDeps): TellLabels {
  /** Being told, or told a moment ago; true when they have changed since. */
  const recent = new Map<string, boolean>();

  async function tellUntilQuiet({ id, workflowId }: Labelled): Promise<void> {
    for (let isDue = true; isDue; isDue = recent.get(id) === true) {
      recent.set(id, false);
      await orders.relabel(workflowId).catch((cause: unknown) => onUntold(id, cause));
      await aMoment();
    }
    recent.delete(id);
  }

  return (session) => {
    if (recent.has(session.id)) recent.set(session.id, true);
    else if (recent.size >= labelsToldAtOnceMax) onUntold(session.id, new Error('too many sessions are relabelled'));
    else void tellUntilQuiet(session);
  };
}

/** A process that ends does not wait for it. */
const aMoment = () => new Promise<void>((resolve) => void setTimeout(resolve, relabelIntervalMs).unref());

export const haveOtherTags = (before: readonly string[], after: readonly string[]): boolean =>
  JSON.stringify(before) !== JSON.stringify(after);
