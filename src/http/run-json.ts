/** A run as `GET /api/v3/runs/{run}` shows it (protocol section 8.3). Durations are of wall clock; nothing is billed. */
import { isFinal, type RunStatus } from '../domain/run.ts';
import type { Run } from '../sessions/ports.ts';
import type { RunView } from '../sessions/retrieve-run.ts';

export function runJson({ run, status, attemptCount }: RunView, nowMs: number) {
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
    output: run.output ?? undefined,
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

/** The same sets as the official client's own: a cancelled run is not "completed". */
function predicatesOf(status: RunStatus) {
  const isSuccess = status === 'COMPLETED';
  const isCancelled = status === 'CANCELED';
  const isFailed = isFinal(status) && !isSuccess && !isCancelled;
  return {
    isQueued: status === 'QUEUED' || status === 'PENDING_VERSION',
    isExecuting: status === 'EXECUTING',
    isWaiting: false,
    isCompleted: isSuccess || isFailed,
    isSuccess,
    isFailed,
    isCancelled,
  };
}
