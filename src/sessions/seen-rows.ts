/**
 * Rows by workflow id, and whether a create need look for one before it orders its session: where this process has
 * never seen the row, Temporal refuses the order if there is one, and the look, a tenth of a create, is saved
 * (docs/decisions/0010-cost-of-a-create.md).
 */
import { Unavailable } from '../domain/failure.ts';
import { seenSessionsMax } from '../domain/limits.ts';
import type { Session } from '../domain/session.ts';
import { RecentMap } from '../recent-map.ts';
import type { SessionStore } from './ports.ts';

export interface SeenRows {
  find(workflowId: string): Promise<Session | null>;
  /** Its row has been seen otherwise. */
  note(workflowId: string): void;
  /** False too while the database is away: then a look fails at once, and nothing is ordered that nobody could carry out. */
  mayBeNew(workflowId: string): boolean;
}

export function openSeenRows(sessions: Pick<SessionStore, 'findByWorkflowId'>): SeenRows {
  const seen = new RecentMap<string, true>(seenSessionsMax);
  let isAway = false;
  return {
    async find(workflowId) {
      try {
        const found = await sessions.findByWorkflowId(workflowId);
        isAway = false;
        if (found !== null) seen.set(workflowId, true);
        return found;
      } catch (thrown) {
        isAway = thrown instanceof Unavailable;
        throw thrown;
      }
    },
    note: (workflowId) => void seen.set(workflowId, true),
    mayBeNew: (workflowId) => !isAway && !seen.has(workflowId),
  };
}
