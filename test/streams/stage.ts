/** Streams over a real database without Temporal: wakes are written down, readers are plain collectors. */
import { onTestFinished } from 'vitest';
import type { ClaimedAttempt } from '../../src/domain/attempt.ts';
import type { NewRecord, StoredRecord } from '../../src/domain/record.ts';
import type { StreamName } from '../../src/domain/stream.ts';
import { newRecordId, newWaitpointId } from '../../src/sessions/new-ids.ts';
import type { Changes } from '../../src/sessions/ports.ts';
import { workflowIdOf } from '../../src/sessions/workflow-id.ts';
import { openChangeFeed } from '../../src/storage/changes.ts';
import type { Database } from '../../src/storage/database.ts';
import { sqlRunStore } from '../../src/storage/run-store.ts';
import { sqlSessionStore } from '../../src/storage/session-store.ts';
import { sqlStreamStore } from '../../src/storage/streams/sql-stream-store.ts';
import { sqlWaitpointStore } from '../../src/storage/waitpoints/sql-waitpoint-store.ts';
import type { LocatedSession } from '../../src/streams/locate-session.ts';
import { openStreams, type Streams } from '../../src/streams/streams.ts';
import type { TailEnd, TailSink } from '../../src/streams/tail.ts';
import { openWaitpoints, type Waitpoints } from '../../src/streams/waitpoints.ts';
import type { OpenSession } from '../storage/lifecycle.ts';
import { valueOf, type WaitStage, waitsOf } from './wait-stage.ts';

export interface StreamStage extends WaitStage {
  readonly streams: Streams;
  readonly waitpoints: Waitpoints;
  /** `<session>/<run>` of each wake, as Temporal would have taken it. */
  readonly wakes: string[];
  append(session: OpenSession, text: string, options?: AppendOptions): ReturnType<Streams['append']>;
  /** The seq of an append that must succeed. */
  seqOf(session: OpenSession, text: string, options?: AppendOptions): Promise<number>;
  follow(session: OpenSession, options?: FollowOptions): Follower;
}

export interface AppendOptions {
  readonly partId?: string | null;
  readonly stream?: StreamName;
  readonly attempt?: ClaimedAttempt | null;
}

export interface FollowOptions {
  readonly from?: number;
  readonly stream?: StreamName;
  readonly timeoutMs?: number;
  readonly sink?: Partial<TailSink>;
}

export interface Follower {
  readonly session: LocatedSession;
  readonly records: StoredRecord[];
  readonly seqs: () => number[];
  readonly ended: Promise<TailEnd>;
  leave(): void;
}

export interface StageOptions {
  /** Every notification between processes is lost. */
  readonly isDeaf?: boolean;
  readonly refuseWakes?: boolean;
  /** Called before each look at the ends of all watched streams. */
  readonly onLook?: () => void;
}

/** One process's streams; closed with the test. */
export async function openStage(database: Database, options: StageOptions = {}): Promise<StreamStage> {
  const deaf = { ...database, notify: async () => {}, listen: async () => async () => {} };
  const changes = await openChangeFeed(options.isDeaf === true ? deaf : database, { onProblem: () => {} });
  const store = sqlStreamStore(database);
  const wakes: string[] = [];
  const faults: unknown[] = [];
  const streams = openStreams({
    store: {
      ...store,
      nextSeqs(places) {
        options.onLook?.();
        return store.nextSeqs(places);
      },
    },
    sessions: sqlSessionStore(database),
    orders: {
      wake: async (session, runNumber) => {
        if (options.refuseWakes === true) throw new Error('planned');
        wakes.push(`${session.id}/${runNumber}`);
      },
    },
    changes,
    failpoints: { isArmed: false, hit: async () => undefined },
    ...(database.kind === 'pglite' ? { flushes: 1 } : {}),
    newRecordId,
    workflowIdOf: (environment, externalId) => workflowIdOf(environment.name, externalId, ''),
    onWakeUndelivered: () => undefined,
    onFault: (cause) => faults.push(cause),
  });
  const waitpoints = openWaits(database, { streams, changes, faults });
  onTestFinished(async () => {
    streams.stop();
    await waitpoints.stop();
    await changes.stop();
    if (faults.length > 0) throw new AggregateError(faults, 'looks at streams failed');
  });
  const stage: StreamStage = {
    streams,
    waitpoints,
    wakes,
    append: (session, text, { partId = null, stream = 'in', attempt = null } = {}) =>
      streams.append({ ...placeOf(session), stream, text, partId, attempt }),
    async seqOf(session, text, appending) {
      return valueOf(await stage.append(session, text, appending)).seq;
    },
    follow: (session, following) => follow(streams, session, following),
    ...waitsOf(waitpoints),
  };
  return stage;
}

const openWaits = (
  database: Database,
  { streams, changes, faults }: { streams: Streams; changes: Changes; faults: unknown[] },
): Waitpoints =>
  openWaitpoints({
    store: sqlWaitpointStore(database),
    runs: sqlRunStore(database),
    locate: streams.locate,
    changes,
    failpoints: { isArmed: false, hit: async () => undefined },
    newWaitpointId,
    workflowIdOf: (environment, externalId) => workflowIdOf(environment.name, externalId, ''),
    onFault: (cause) => faults.push(cause),
  });

export interface BatchOptions {
  readonly records: readonly NewRecord[];
  readonly stream?: StreamName;
  readonly partId?: string | null;
  readonly matchSeq?: number | null;
  readonly attempt?: ClaimedAttempt | null;
}

/** By default to `out`, by nobody that is fenced. */
export function writeBatch(stage: StreamStage, session: OpenSession, options: BatchOptions) {
  const { stream = 'out', partId = null, matchSeq = null, attempt = null } = options;
  return stage.streams.appendBatch({ ...options, ...placeOf(session), stream, partId, matchSeq, attempt });
}

/** Of an append that must succeed. */
export async function rangeOf(...write: Parameters<typeof writeBatch>) {
  const result = await writeBatch(...write);
  if (!result.ok) throw new Error(`refused: ${result.failure.code}`);
  return result.value;
}

const placeOf = ({ order }: OpenSession) => ({
  environment: order.environment,
  session: locatedOf(order),
});

export const locatedOf = ({ session, workflowId }: OpenSession['order']): LocatedSession => ({
  id: session.id,
  externalId: session.externalId,
  workflowId,
});

function follow(streams: Streams, session: OpenSession, options: FollowOptions = {}): Follower {
  const { from = 0, stream = 'in', timeoutMs = 60_000, sink = {} } = options;
  const named = { ...placeOf(session), key: session.order.session.id, stream };
  const opened = streams.openTail(named, { from, until: null, timeoutMs, readerKey: 'test' });
  if (!opened.ok) throw new Error(opened.failure.code);
  const records: StoredRecord[] = [];
  const ended = opened.value.follow({
    deliver: (batch) => {
      records.push(...batch.records);
      return true;
    },
    drained: async () => undefined,
    ...sink,
  });
  const seqs = () => records.map(({ seq }) => seq);
  return { session: named.session, records, seqs, ended, leave: () => opened.value.end('gone') };
}

/** The first attempt of the session's first run takes it over. */
export const claimFirst = (database: Database, { order, runId }: OpenSession) =>
  sqlRunStore(database).claim({ environmentId: order.environment.id, runId, attempt: 1 });

/** What a reader makes of it: the text that was appended. */
export const textOf = ({ body }: StoredRecord): string => (JSON.parse(body) as { data: string }).data;
