/** PATCH .../{session}: labels only, in every state; nothing of the lifecycle, so nobody waits for Temporal. */
import { fail, type Result, succeed } from '../domain/failure.ts';
import type { Session } from '../domain/session.ts';
import type { SessionStore, SessionUpdate } from './ports.ts';
import { haveOtherTags, type TellLabels } from './tell-labels.ts';

export interface UpdateSessionOrder {
  readonly session: Session;
  readonly update: SessionUpdate;
  /** As sent: null is a value too. I6: it never changes, so it may only repeat what is there. */
  readonly externalId?: string | null;
}

export async function updateSession(
  deps: { readonly sessions: SessionStore; readonly tellLabels: TellLabels },
  { session, update, externalId }: UpdateSessionOrder,
): Promise<Result<Session>> {
  if (externalId !== undefined && externalId !== session.externalId) return fail({ code: 'external_id_fixed' });
  const changesNothing = update.tags === undefined && update.metadata === undefined;
  if (changesNothing) return succeed(session);
  const updated = await deps.sessions.update(session.id, update);
  if (haveOtherTags(session.tags, updated.tags)) deps.tellLabels(updated);
  return succeed(updated);
}
