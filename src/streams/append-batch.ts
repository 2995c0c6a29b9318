/** The one way into a stream, for whichever protocol: durable, and met by a run, before it is acknowledged. */
import { fail, type Result, succeed } from '../domain/failure.ts';
import type { Environment } from '../domain/ids.ts';
import type { NewRecord } from '../domain/record.ts';
import type { StreamName } from '../domain/stream.ts';
import type { Append, AppendAnswer, Failpoints } from '../sessions/ports.ts';
import type { AppendQueue } from './append-queue.ts';
import type { LocatedSession } from './locate-session.ts';
import type { UnclaimedRun } from './parked-runs.ts';
import type { RunWaker } from './wake-runs.ts';

export interface AppendBatchOrder extends Pick<Append, 'partId' | 'matchSeq' | 'attempt'> {
  readonly environment: Environment;
  readonly session: LocatedSession;
  readonly stream: StreamName;
  readonly records: readonly NewRecord[];
}

/** What of the stream an append has become. */
export interface AppendedRange {
  /** First and one past the last seq. */
  readonly first: number;
  readonly end: number;
  /** Next seq of the stream. */
  readonly next: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** The run that is to meet the records waits for a worker of its version. */
  readonly pendingVersion: boolean;
}

export interface AppendDeps {
  readonly queue: AppendQueue;
  readonly waker: RunWaker;
  readonly failpoints: Failpoints;
  readonly isParked: (run: UnclaimedRun) => Promise<boolean>;
}

export async function appendBatch(deps: AppendDeps, order: AppendBatchOrder): Promise<Result<AppendedRange>> {
  const { environment, session, stream, records, partId, matchSeq, attempt } = order;
  if (deps.failpoints.isArmed) await deps.failpoints.hit('append:before');
  const answer = await deps.queue.append({
    sessionId: session.id,
    workflowId: session.workflowId,
    stream,
    records,
    partId,
    matchSeq,
    attempt,
  });
  if (answer === null) return fail({ code: 'appends_crowded' });
  if (deps.failpoints.isArmed) await deps.failpoints.hit('append:after');
  if (answer.wakeAfter !== null) {
    await deps.waker.wake({ environment, sessionId: session.id, runNumber: answer.wakeAfter });
  }
  const { outcome, next, atMs } = answer;
  switch (outcome.kind) {
    case 'stored':
    case 'duplicate':
      return succeed({
        first: outcome.seq,
        end: outcome.seq + records.length,
        next,
        atMs,
        pendingVersion: isUnmet(answer) && (await isPendingVersion(deps, order, answer)),
      });
    case 'closed':
      return fail({ code: 'append_to_closed', closedReason: outcome.reason });
    case 'expired':
      return fail({ code: 'append_to_expired' });
    case 'fenced':
      return fail({ code: 'append_fenced' });
    case 'seq mismatch':
      return fail({ code: 'append_seq_mismatch', next: outcome.next });
  }
}

/** No attempt has the run that is to meet the records: only then is it asked what the run waits for. */
const isUnmet = ({ wakeAfter, unclaimedRun }: AppendAnswer): boolean => wakeAfter !== null || unclaimedRun !== null;

const isPendingVersion = (
  { isParked }: Pick<AppendDeps, 'isParked'>,
  { environment, session }: AppendBatchOrder,
  { unclaimedRun }: AppendAnswer,
): Promise<boolean> => isParked({ environment, sessionId: session.id, runNumber: unclaimedRun });
