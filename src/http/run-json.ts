/** A run as `GET /api/v3/runs/{run}` shows it (protocol section 8.3). Durations are of wall clock; nothing is billed. */
import { isFinal, type RunStatus } from '../domain/run.ts';
import type { Run } from '../sessions/ports.ts';
import type { RunView } from '../sessions/retrieve-run.ts';
import type { runObject, Wire } from './wire-schemas.ts';

export function runJson({ run, status, attemptCount }: RunView, nowMs: number): Wire<typeof runObject> {
  return {
    id: run.id,
    status,
    taskIdentifier: run.taskIdentifier,
    ...predicatesOf(status),
    isTest: false,
    ...timesOf(run, status, nowMs),
    ttl: run.options.ttlSeconds === undefined ? undefined : `${run.options.ttlSeconds}s`,
    version: run.options.lockToVersion,
    region: run.options.region,
    tags: run.options.tags,
    costInCents: 0,
    baseCostInCents: 0,
    depth: 0,
    triggerFunction: 'trigger',
    relatedRuns: {},
    payload: run.payload,
    // Null is an output too: that of a task which returns nothing.
    output: status === 'COMPLETED' ? run.output : undefined,
    error: run.error ?? undefined,
    attemptCount,
  };
}

function timesOf(run: Run, status: RunStatus, nowMs: number) {
  const { createdAt, updatedAt, startedAt, finishedAt } = run;
  return {
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
    startedAt: startedAt?.toISOString(),
    finishedAt: finishedAt?.toISOString(),
    expiredAt: status === 'EXPIRED' ? finishedAt?.toISOString() : undefined,
    durationMs: startedAt === null ? 0 : Math.max(0, (finishedAt?.getTime() ?? nowMs) - startedAt.getTime()),
  };
}

/**
 * The reference's REST answers count a cancelled run as completed and failed; its client's `runs.poll` ends on
 * `isCompleted` alone, so every final status must set it.
 */
function predicatesOf(status: RunStatus) {
  const isCompleted = isFinal(status);
  const isSuccess = status === 'COMPLETED';
  return {
    isQueued: status === 'QUEUED' || status === 'PENDING_VERSION',
    isExecuting: status === 'EXECUTING',
    isWaiting: false,
    isCompleted,
    isSuccess,
    isFailed: isCompleted && !isSuccess,
    isCancelled: status === 'CANCELED',
  };
}
