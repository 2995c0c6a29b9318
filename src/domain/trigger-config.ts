/** What every run of a session is triggered with, and what follows from it for one run. Pure. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

export const machines = ['micro', 'small-1x', 'small-2x', 'medium-1x', 'medium-2x', 'large-1x', 'large-2x'] as const;
export type Machine = (typeof machines)[number];

/** As parsed at the edge and stored whole; absent fields are absent, never null. */
export interface TriggerConfig {
  readonly basePayload: JsonObject;
  readonly machine?: Machine;
  readonly queue?: string;
  readonly tags?: readonly string[];
  readonly maxAttempts?: number;
  /** Seconds of wall clock that one run may take, from its first claim. */
  readonly maxDuration?: number;
  readonly lockToVersion?: string;
  readonly region?: string;
  readonly idleTimeoutInSeconds?: number;
  readonly concurrency?: readonly string[];
  readonly concurrencyKey?: string;
  readonly externalDeploymentId?: string;
  /** A run that no worker took within this time is EXPIRED: seconds, or a duration such as `1h30m`. */
  readonly ttl?: string | number;
}

/** The options of one run, fixed when it is triggered: a later change of the session's config leaves it alone. */
export type RunOptions = Omit<TriggerConfig, 'basePayload' | 'tags' | 'ttl'> & {
  readonly tags: readonly string[];
  readonly ttlSeconds?: number;
};

export function runOptions(config: TriggerConfig): RunOptions {
  const { basePayload: _payload, tags, ttl, ...rest } = config;
  const ttlSeconds = ttl === undefined ? null : parseDurationSeconds(ttl);
  return { ...rest, tags: tags ?? [], ...(ttlSeconds === null || ttlSeconds === 0 ? {} : { ttlSeconds }) };
}

const unitSeconds: Readonly<Record<string, number>> = { w: 604_800, d: 86_400, hr: 3_600, h: 3_600, m: 60, s: 1 };

/** Protocol section 8.1: `^(\d+(w|d|hr|h|m|s))+$`, or a number of seconds. */
export const durationPattern = /^(?:\d{1,10}|(?:\d{1,10}(?:w|d|hr|h|m|s))+)$/;

/** Null when the text is no duration. */
export function parseDurationSeconds(text: string | number): number | null {
  if (typeof text === 'number') return text;
  if (text.length > 64 || !durationPattern.test(text)) return null;
  if (/^\d+$/.test(text)) return Number(text);
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(w|d|hr|h|m|s)/g)) {
    seconds += Number(count) * (unitSeconds[unit ?? ''] ?? 0);
  }
  return seconds;
}

/** Boot fields of a first run only: a continuation waits for the next record instead (protocol section 7.2). */
const bootFields = ['message', 'messages', 'trigger'];

/** The payload of one run (protocol section 7.2): shallow, later wins. */
export function runPayload(config: TriggerConfig, sessionId: string, previousRunId: string | null): JsonObject {
  const merged: Record<string, JsonValue> = { ...config.basePayload };
  if (config.idleTimeoutInSeconds !== undefined) merged['idleTimeoutInSeconds'] = config.idleTimeoutInSeconds;
  merged['sessionId'] = sessionId;
  if (previousRunId === null) return merged;
  for (const field of bootFields) delete merged[field];
  return { ...merged, continuation: true, previousRunId };
}
