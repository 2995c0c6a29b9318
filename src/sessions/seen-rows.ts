/**
 * Rows by workflow id, and whether a create should look for one before it orders its session. Where there is none the
 * look is a tenth of a create for nothing; where there is one, an order without it is a call to Temporal that is refused
 * (docs/decisions/0010-cost-of-a-create.md). So a row that was seen is looked for, and for others the last guess counts.
 */
import { Unavailable } from '../domain/failure.ts';
import { seenSessionsMax } from '../domain/limits.ts';
import type { Session } from '../domain/session.ts';
import { RecentMap } from '../recent-map.ts';
import type { SessionStore } from './ports.ts';

export interface SeenRows {
  find(workflowId: string): Promise<Session | null>;
  /** As `find`, before anything is ordered: what it finds decides what is expected of the next one. */
  look(workflowId: string): Promise<Session | null>;
  /** Its row has come without a look. */
  note(workflowId: string): void;
  /** False too once the database was away: a look fails at once, and nothing is ordered that nobody could carry out. */
  isExpectedNew(workflowId: string): boolean;
}

export function openSeenRows(sessions: Pick<SessionStore, 'findByWorkflowId'>): SeenRows {
  const seen = new RecentMap<string, true>(seenSessionsMax);
  let expectsNew = true;

  async function find(workflowId: string): Promise<Session | null> {
    try {
      const found = await sessions.findByWorkflowId(workflowId);
      if (found !== null) seen.set(workflowId, true);
      return found;
    } catch (thrown) {
      if (thrown instanceof Unavailable) expectsNew = false;
      throw thrown;
    }
  }

  return {
    find,
    async look(workflowId) {
      const isKnown = seen.has(workflowId);
      const found = await find(workflowId);
      if (!isKnown) expectsNew = found === null;
      return found;
    },
    note: (workflowId) => void seen.set(workflowId, true),
    isExpectedNew: (workflowId) => expectsNew && !seen.has(workflowId),
  };
}
