/** The interfaces that use cases and activities need; `storage` and `temporal` implement them. */
import type { AppendOutcome } from '../domain/append.ts';
import type { ClaimedAttempt, NumberedAttempt } from '../domain/attempt.ts';
import type { NewSession } from '../domain/create-session.ts';
import type { Environment, EnvironmentId, RunId, SessionId } from '../domain/ids.ts';
import type { ListedSession, PageCursor, PageDirection, SessionFilters } from '../domain/list-page.ts';
import type { OwnedRuns, Repair } from '../domain/reconcile.ts';
import type { NewRecord, StoredRecord } from '../domain/record.ts';
import type { RunError, RunReason, StoredRunStatus } from '../domain/run.ts';
import type { Session } from '../domain/session.ts';
import type { StreamPlace } from '../domain/stream.ts';
import type {
  Claim,
  ClaimOrder,
  CloseOrder,
  ContinueOrder,
  CreateOrder,
  CursorOrder,
  EndAndContinueOrder,
  EndRunOrder,
  OwnedSession,
  TransitionAnswer,
} from '../domain/transition.ts';
import type { JsonObject, JsonValue, RunOptions, TriggerConfig } from '../domain/trigger-config.ts';

export type OnCommitted = (session: Session) => void;

/** Each method is one transaction under the session's gate, safe to repeat (design: lifecycle). */
export interface Transitions {
  /** @param onCommitted told of the row if this order has made it, once the transaction has committed */
  create(order: CreateOrder, onCommitted?: OnCommitted): Promise<TransitionAnswer>;
  /** Look at the gate, taking over from an older owner whose workflow was lost. */
  adopt(order: OwnedSession): Promise<TransitionAnswer>;
  look(order: OwnedSession): Promise<TransitionAnswer>;
  lookAtLabels(order: OwnedSession): Promise<TransitionAnswer>;
  continueRun(order: ContinueOrder): Promise<TransitionAnswer>;
  endRun(order: EndRunOrder): Promise<TransitionAnswer>;
  endAndContinue(order: EndAndContinueOrder): Promise<TransitionAnswer>;
  close(order: CloseOrder): Promise<TransitionAnswer>;
  expire(order: OwnedSession): Promise<TransitionAnswer>;
}

/** What a cached create writes through, under the gate and only while the session is open. */
export interface SessionChanges {
  readonly triggerConfig: TriggerConfig;
  readonly tags?: readonly string[];
  readonly metadata?: JsonObject;
  readonly expiresAt?: Date;
}

/** What a PATCH replaces whole; absent fields stay. Null clears. */
export interface SessionUpdate {
  readonly tags?: readonly string[];
  readonly metadata?: JsonObject | null;
}

export interface SessionStore {
  findByWorkflowId(workflowId: string): Promise<Session | null>;
  findById(environmentId: EnvironmentId, id: SessionId): Promise<Session | null>;
  findByExternalId(environmentId: EnvironmentId, externalId: string): Promise<Session | null>;
  /** The row afterwards, changed or (ended meanwhile) untouched. */
  writeThrough(id: SessionId, changes: SessionChanges): Promise<Session>;
  /** Under the gate, in every state; the row afterwards. */
  update(id: SessionId, update: SessionUpdate): Promise<Session>;
  /** Makes an expiry that the clock shows final, before a caller is told of it. */
  settleExpiry(id: SessionId): Promise<Session>;
}

export interface SessionQuery {
  readonly environmentId: EnvironmentId;
  readonly filters: SessionFilters;
  readonly direction: PageDirection;
  readonly cursor: PageCursor | null;
  /** At most one more than a page holds. */
  readonly limit: number;
}

export interface SessionList {
  /** Nearest to the cursor first. */
  find(query: SessionQuery): Promise<readonly ListedSession[]>;
}

export interface Run {
  readonly id: RunId;
  readonly sessionId: SessionId;
  readonly number: number;
  readonly environmentId: EnvironmentId;
  /** Workflow id of the session: where its activity can be asked about or cancelled. */
  readonly workflowId: string;
  readonly status: StoredRunStatus;
  readonly reason: RunReason;
  readonly taskIdentifier: string;
  readonly payload: JsonObject;
  readonly options: RunOptions;
  /** Highest attempt that claimed; 0 before the first, and for a worker that never claims. */
  readonly attempts: number;
  readonly output: JsonValue;
  readonly error: RunError | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

export interface RunStore {
  find(environmentId: EnvironmentId, id: RunId): Promise<Run | null>;
  /** Id of a session's first run: what the caller that made the session was answered. */
  findFirstRunId(sessionId: SessionId): Promise<RunId | null>;
  /** The run after run `runNumber`, and the key of the request that asked for it; null while there is none. */
  findSuccessor(sessionId: SessionId, runNumber: number): Promise<{ id: RunId; requestKey: string | null } | null>;
  /** Null: the run does not exist here. Refused: the attempt must end and not be retried. */
  claim(order: ClaimOrder): Promise<Claim | 'refused' | null>;
  /** The next seq that is wanted now; null and refused as for a claim. */
  commitCursor(order: CursorOrder): Promise<number | 'refused' | null>;
}

/** Records of one stream that become durable together, or not at all. */
export interface Append extends StreamPlace {
  /** Not empty. */
  readonly records: readonly NewRecord[];
  /** Of the whole append: a repeated one is answered with the seqs of the first. Null is never a repetition. */
  readonly partId: string | null;
  /** Seq that its first record insists on. */
  readonly matchSeq: number | null;
  /** The attempt that writes; null is not fenced. */
  readonly attempt: ClaimedAttempt | null;
}

export interface AppendAnswer {
  readonly outcome: AppendOutcome;
  /** Time of the records that were stored, now or by the append that this one repeats; 0 for the others. */
  readonly atMs: number;
  /** Next seq of the stream. */
  readonly next: number;
  /** See `AppendPlan`. */
  readonly wakeAfter: number | null;
  /** Waitpoints of the stream were completed in the same transaction. */
  readonly completedWaits: boolean;
  /** Number of the live run that is to meet a record on `in` and that nobody has claimed; null for every other. */
  readonly unclaimedRun: number | null;
}

/** A stream as one moment shows it: a stream that was never written is empty. */
export interface StreamPage {
  /** Next seq to be assigned. */
  readonly next: number;
  /** The last record that is no command ends a turn, or the session. */
  readonly settled: boolean;
  /** In order; the page ends early at its bounds. */
  readonly records: readonly StoredRecord[];
}

export interface TranscriptRange {
  readonly from: number;
  /** First seq that is not wanted; null: up to the end. */
  readonly before: number | null;
}

/** A page as `GET .../records` shows it. */
export interface TranscriptPage {
  /** Next seq to be assigned; of a range with an end of its own, maybe that end. */
  readonly next: number;
  /** Seq of the last record that the page covers, shown or not; null when there is none. */
  readonly last: number | null;
  /** The shown records, with commas between them, in UTF-8. */
  readonly json: Buffer;
}

export interface StreamStore {
  /**
   * One transaction, or two where streams are not as this process knew them. `busy`: nothing was done for this session,
   * because somebody holds its gate, or because the second failed after the first had stored what others sent.
   * @param wait for gates that are held; otherwise those sessions are answered `busy`
   */
  append(appends: readonly Append[], wait: boolean): Promise<readonly (AppendAnswer | 'busy')[]>;
  /** Retained records with seq >= from, from the first retained one on. */
  read(place: StreamPlace, from: number): Promise<StreamPage>;
  /** As `read`, in the form of a transcript; the page ends early at bounds of its own. */
  readTranscript(place: StreamPlace, range: TranscriptRange): Promise<TranscriptPage>;
  /** Next seq of each stream, in the same order. */
  nextSeqs(places: readonly StreamPlace[]): Promise<readonly number[]>;
}

/** Opaque bytes that a session's agent saved, as it labelled them. */
export interface Snapshot {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

export interface SnapshotStore {
  /**
   * Whole and durable, or not at all.
   * @param writer null: not fenced. Refused: another attempt, or none, serves the session
   */
  write(sessionId: SessionId, snapshot: Snapshot, writer: NumberedAttempt | null): Promise<'stored' | 'refused'>;
  /** What was stored last; null before the first. */
  read(sessionId: SessionId): Promise<Snapshot | null>;
}

export interface RateReading {
  /** In one window. */
  readonly max: number;
  readonly left: number;
  /** Milliseconds since 1970 at which a new window begins. */
  readonly resetAtMs: number;
  readonly isOver: boolean;
}

export interface RateMeter {
  /** Counts one more; `isOver` when it was one too many. */
  take(key: string): Promise<RateReading>;
  /** Counts nothing: the reading of a key that has none left, else null. */
  look(key: string): Promise<RateReading | null>;
}

/** A change of one session's row: in process at once, between processes by one coalesced notification. */
export interface Changes {
  /**
   * @param workflowId of the session that changed
   * @param committed its row, if the publisher has it: who waits in this process need not read it again
   */
  publish(workflowId: string, committed?: Session): void;
  /** Tells other processes only: whoever has told its own in a better way. */
  announce(workflowId: string): void;
  /** Returns the function that ends the subscription. */
  subscribe(workflowId: string, onChange: (committed?: Session) => void): () => void;
}

/** A session that exists, as a signal's fallback start needs it. */
export type SessionAddress = Pick<Session, 'id' | 'workflowId' | 'externalId' | 'type' | 'taskIdentifier' | 'tags'> & {
  readonly environment: Environment;
};

export type HandOver = Pick<EndAndContinueOrder, 'runNumber' | 'reason' | 'requestKey' | 'externalDeploymentId'>;

export interface StartOrder {
  readonly environment: Environment;
  readonly workflowId: string;
  readonly session: NewSession;
}

/** Orders go in here. Resolves once Temporal has accepted the order; throws `Unavailable` otherwise. */
export interface SessionOrders {
  /** Of the workflow that is open it changes nothing; one that has ended is started again. */
  start(order: StartOrder): Promise<void>;
  /** @throws AlreadyStarted */
  startNew(order: StartOrder): Promise<void>;
  ensure(session: SessionAddress, runNumber: number): Promise<void>;
  /** A record waits for the successor of that run. */
  wake(session: SessionAddress, runNumber: number): Promise<void>;
  cancelRun(session: SessionAddress, runId: RunId): Promise<void>;
  close(session: SessionAddress, close: { reason: string | null; callingRunId: RunId | null }): Promise<void>;
  endAndContinue(session: SessionAddress, handOver: HandOver): Promise<void>;
  reschedule(session: SessionAddress): Promise<void>;
  expire(session: SessionAddress): Promise<void>;
  poke(session: SessionAddress): Promise<void>;
  /** Its tags have changed. A workflow that is not there has nothing to show. */
  relabel(workflowId: string): Promise<void>;
}

/** What Temporal says of a run whose outcome the row does not have yet; null when it cannot say in time. */
export interface PendingRun {
  readonly state: 'queued' | 'executing';
  /** Attempts started so far. */
  readonly attempts: number;
}

export interface RunObserver {
  pendingRun(workflowId: string, runId: RunId): Promise<PendingRun | null>;
  /** Whether a worker polls the exact queue that a version-locked run waits on. */
  isServed(taskQueue: string): Promise<boolean>;
}

/** Named points between two steps where a test can kill or pause this process; `hit` does nothing otherwise. */
export interface Failpoints {
  /** Any point may do something: where calls are many, `hit` is only awaited if so. */
  readonly isArmed: boolean;
  hit(name: string): Promise<void>;
}

/** What the reconciler reads; see `domain/reconcile`. */
export interface RepairStore {
  findOverdue(): Promise<readonly Repair[]>;
  /** Sessions with unfinished runs, in order of their ids, strictly after one. */
  findUnfinished(after: SessionId | null): Promise<readonly OwnedRuns[]>;
  /** The same of one session; null where all runs have ended. */
  findUnfinishedOf(sessionId: SessionId): Promise<OwnedRuns | null>;
  findAddress(sessionId: SessionId): Promise<SessionAddress | null>;
}

export interface OwnerObserver {
  /** Whether the execution that a gate names as its owner is open and has all these runs. @throws Unavailable when Temporal does not say */
  executes(runs: OwnedRuns): Promise<boolean>;
}
