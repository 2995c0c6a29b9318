/**
 * What a run hands to the worker that serves it: the one argument of its activity. All JSON, so that a
 * Temporal worker in any language can read it (docs/recipes/serve-a-task-in-another-language.md).
 * Fields are only ever added: workers of an older version keep reading it.
 */
import type { RunId, SessionId } from './ids.ts';
import type { RunReason } from './run.ts';
import type { JsonObject } from './trigger-config.ts';

export interface RunInput {
  readonly run: {
    readonly id: RunId;
    /** Runs of a session are numbered from 1. */
    readonly number: number;
    readonly reason: RunReason;
  };
  readonly session: {
    readonly id: SessionId;
    readonly externalId: string | null;
    /** What callers address the session by: external id, else id. */
    readonly key: string;
  };
  readonly payload: JsonObject;
  readonly tags: readonly string[];
  /** Seconds of wall clock from the run's first claim; null without a cap. */
  readonly maxDuration: number | null;
  readonly idleTimeoutInSeconds: number | null;
  readonly api: {
    /** The server's public URL, without a trailing slash. */
    readonly url: string;
    /** Path of this run's claim route, appended to the URL. */
    readonly claim: string;
  };
}

export const claimPath = (runId: RunId): string => `/api/v1/runs/${runId}/claim`;
