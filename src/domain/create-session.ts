/** What a create does, decided from the row and the request alone (protocol section 3.2). */
import type { SessionId } from './ids.ts';
import { type Session, sessionStateOf } from './session.ts';
import type { JsonObject, JsonValue, TriggerConfig } from './trigger-config.ts';

/** The body of a create, parsed: nothing in it is checked again. */
export interface CreateRequest {
  readonly type: string;
  readonly taskIdentifier: string;
  readonly triggerConfig: TriggerConfig;
  readonly externalId: string | null;
  /** Undefined when the body does not carry the field: a cached create then leaves the row's value alone. */
  readonly tags?: readonly string[];
  readonly metadata?: JsonObject;
  readonly expiresAt?: Date;
}

/** A session to be made; the id is proposed by the API and counts only if this order inserts the row. */
export interface NewSession {
  readonly id: SessionId;
  readonly type: string;
  readonly taskIdentifier: string;
  readonly triggerConfig: TriggerConfig;
  readonly externalId: string | null;
  readonly tags: readonly string[];
  readonly metadata: JsonObject | null;
  readonly expiresAtMs: number | null;
  readonly requestKey: string;
}

export type CreateDecision =
  | { readonly kind: 'start' }
  | { readonly kind: 'refuse'; readonly code: 'session_closed' | 'session_expired' }
  /** Open: write through what changed; `deadRun` is the number of a current run that needs a continuation. */
  | { readonly kind: 'reuse'; readonly changed: boolean; readonly deadRun: number | null };

export function decideCreate(session: Session | null, request: CreateRequest, now: Date): CreateDecision {
  if (session !== null) {
    const state = sessionStateOf(session);
    if (state === 'closed') return { kind: 'refuse', code: 'session_closed' };
    if (state === 'expired') return { kind: 'refuse', code: 'session_expired' };
  }
  if (request.expiresAt !== undefined && request.expiresAt.getTime() <= now.getTime()) {
    return { kind: 'refuse', code: 'session_expired' };
  }
  if (session === null) return { kind: 'start' };
  const deadRun = session.currentRun.live ? null : session.currentRun.number;
  // The caller that made the session repeats itself: its own values are there, or were replaced since.
  return { kind: 'reuse', changed: writesThrough(session, request), deadRun };
}

/** Protocol disagreement 7: `triggerConfig` always; tags, metadata and expiry only if the body has them. */
function writesThrough(session: Session, request: CreateRequest): boolean {
  return (
    !sameJson(session.triggerConfig as unknown as JsonValue, request.triggerConfig as unknown as JsonValue) ||
    (request.tags !== undefined && !sameJson(session.tags, request.tags)) ||
    (request.metadata !== undefined && !sameJson(session.metadata, request.metadata)) ||
    (request.expiresAt !== undefined && session.expiresAt?.getTime() !== request.expiresAt.getTime())
  );
}

/** Equal up to the order of keys; depth is bounded by `jsonDepthMax` at the edge. */
export function sameJson(left: JsonValue, right: JsonValue): boolean {
  if (left === right) return true;
  if (left === null || right === null || typeof left !== 'object' || typeof right !== 'object') return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const leftKeys = Object.keys(left);
  if (leftKeys.length !== Object.keys(right).length) return false;
  return leftKeys.every(
    (key) =>
      Object.hasOwn(right, key) && sameJson((left as JsonObject)[key] ?? null, (right as JsonObject)[key] ?? null),
  );
}
