/** The session object (protocol section 3.1): every key always there, absent values as null. */

import type { Environment } from '../domain/ids.ts';
import { publicTokenTtlSeconds } from '../domain/limits.ts';
import { type Session, sessionKey } from '../domain/session.ts';
import type { CreatedSession } from '../sessions/create-session.ts';
import type { KeyRing } from '../tokens/key-ring.ts';
import { signPublicToken } from '../tokens/sign.ts';

export function sessionJson(session: Session) {
  return {
    id: session.id,
    externalId: session.externalId,
    type: session.type,
    taskIdentifier: session.taskIdentifier,
    triggerConfig: session.triggerConfig,
    currentRunId: session.currentRun.live ? session.currentRun.id : null,
    tags: session.tags,
    metadata: session.metadata,
    closedAt: session.closedAt?.toISOString() ?? null,
    closedReason: session.closedReason,
    expiresAt: session.expiresAt?.toISOString() ?? null,
    createdAt: session.createdAt.toISOString(),
    updatedAt: session.updatedAt.toISOString(),
  };
}

/** What a create answers. The run that it ensured is shown as the current one, also when it was over in a moment. */
export function createdSessionJson(created: CreatedSession, publicAccessToken: string) {
  return {
    ...sessionJson(created.session),
    currentRunId: created.runId,
    runId: created.runId,
    publicAccessToken,
    isCached: created.isCached,
    ...(created.pendingVersion ? { pendingVersion: true } : {}),
  };
}

/** A token for this session and nothing else, under the key that its callers use. */
export async function signSessionToken(keys: KeyRing, environment: Environment, session: Session): Promise<string> {
  const owner = await keys.owner(environment.id);
  const rootKey = owner?.keys[0]?.signingKey;
  if (rootKey === undefined) throw new Error('the environment lost its last key while it was asking');
  const key = sessionKey(session);
  const scopes = [`read:sessions:${key}`, `write:sessions:${key}`];
  return signPublicToken({ environment, rootKey, scopes, ttlSeconds: publicTokenTtlSeconds });
}
