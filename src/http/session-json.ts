/** The session object (protocol section 3.1): every key always there, absent values as null. */

import { publicTokenTtlSeconds } from '../domain/limits.ts';
import { cursorText, type ListedSession, type SessionPage } from '../domain/list-page.ts';
import type { Session } from '../domain/session.ts';
import type { CreatedSession } from '../sessions/create-session.ts';
import { type KeyRing, newestRootKey } from '../tokens/key-ring.ts';
import { signPublicToken } from '../tokens/sign.ts';
import type { Caller } from './route.ts';
import type { createdSession, sessionObject, sessionPage, Wire } from './wire-schemas.ts';

export function sessionJson(session: Session): Wire<typeof sessionObject> {
  return {
    ...listedSessionJson(session),
    triggerConfig: session.triggerConfig,
    currentRunId: session.currentRun.live ? session.currentRun.id : null,
  };
}

/** A row of the list has no config and no run. */
function listedSessionJson(session: ListedSession): Wire<typeof sessionObject> {
  return {
    id: session.id,
    externalId: session.externalId,
    type: session.type,
    taskIdentifier: session.taskIdentifier,
    tags: session.tags,
    metadata: session.metadata,
    closedAt: session.closedAt?.toISOString() ?? null,
    closedReason: session.closedReason,
    expiresAt: session.expiresAt?.toISOString() ?? null,
    createdAt: session.createdAt.toISOString(),
    updatedAt: session.updatedAt.toISOString(),
  };
}

/** Absent keys, never null, where a page is the last: clients go on until `next` is missing. */
export function sessionPageJson({ sessions, next, previous }: SessionPage): Wire<typeof sessionPage> {
  return {
    data: sessions.map(listedSessionJson),
    pagination: {
      ...(next === null ? {} : { next: cursorText(next) }),
      ...(previous === null ? {} : { previous: cursorText(previous) }),
    },
  };
}

/** What a create answers. The run that it ensured is shown as the current one, also when it was over in a moment. */
export function createdSessionJson(created: CreatedSession, publicAccessToken: string): Wire<typeof createdSession> {
  return {
    ...sessionJson(created.session),
    currentRunId: created.runId,
    runId: created.runId,
    publicAccessToken,
    isCached: created.isCached,
    ...(created.pendingVersion ? { pendingVersion: true } : {}),
  };
}

/** A token for one session and nothing else, under the key that its callers use. */
export async function signSessionToken(
  keys: KeyRing,
  { environment, restrictedKeyId: mintedBy }: Pick<Caller, 'environment' | 'restrictedKeyId'>,
  key: string,
): Promise<string> {
  const rootKey = await newestRootKey(keys, environment);
  const scopes = [`read:sessions:${key}`, `write:sessions:${key}`];
  return signPublicToken({ environment, rootKey, scopes, ttlSeconds: publicTokenTtlSeconds, mintedBy });
}
