/** What `http` does with streams: append, read, follow. One per process. */
import { fail, type Result, succeed } from '../domain/failure.ts';
import type { Environment } from '../domain/ids.ts';
import { bodyText, type StoredRecord } from '../domain/record.ts';
import { sessionKey } from '../domain/session.ts';
import type { StreamName, StreamPlace } from '../domain/stream.ts';
import type {
  Changes,
  Failpoints,
  SessionOrders,
  SessionStore,
  StreamPage,
  StreamStore,
  TranscriptPage,
  TranscriptRange,
} from '../sessions/ports.ts';
import { type AppendBatchOrder, type AppendedRange, appendBatch } from './append-batch.ts';
import { type CommittedAppend, openAppendQueue } from './append-queue.ts';
import { type AppendedRecord, type AppendOrder, appendRecord } from './append-record.ts';
import { awaitSession } from './await-session.ts';
import { type LocatedSession, type LocateSession, sessionLocator } from './locate-session.ts';
import { type ParkedRunsDeps, parkedRuns } from './parked-runs.ts';
import { StreamHub } from './stream-hub.ts';
import { Tail, type TailEnd, type TailSink } from './tail.ts';
import { defaultReaderLimits, type ReaderLimits, TailRegister } from './tail-register.ts';
import { type DeadRun, runWaker } from './wake-runs.ts';
import { type WriteOrder, writeRecords } from './write-records.ts';

/** A stream as a path names it. Before its session exists, an external id names an empty stream. */
export interface NamedStream {
  readonly environment: Environment;
  readonly key: string;
  /** Null before it exists. */
  readonly session: LocatedSession | null;
  readonly stream: StreamName;
}

export interface TailOrder {
  readonly from: number;
  /** Seq before which the tail ends; null follows the stream. */
  readonly until: number | null;
  readonly timeoutMs: number;
  /** Stands for the reader's credential: its readers are counted together. */
  readonly readerKey: string;
}

/** A place among the readers, taken: `follow` gives it back when it ends. */
export interface OpenTail {
  follow(sink: TailSink): Promise<TailEnd>;
  end(reason: TailEnd): void;
}

export interface Streams {
  readonly locate: LocateSession;
  append(order: AppendOrder): Promise<Result<AppendedRecord>>;
  /** Records as they are, together or not at all; their sizes are the caller's to bound. */
  appendBatch(order: AppendBatchOrder): Promise<Result<AppendedRange>>;
  /** Records of an `out` in their order, each once for its id. */
  write(order: WriteOrder): Promise<Result<{ readonly seqs: readonly number[] }>>;
  /** A consistent page from `from` on. */
  read(stream: Pick<NamedStream, 'session' | 'stream'>, from: number): Promise<StreamPage>;
  /** As `read`, in the form in which `/records` shows it. */
  readTranscript(stream: Pick<NamedStream, 'session' | 'stream'>, range: TranscriptRange): Promise<TranscriptPage>;
  openTail(stream: NamedStream, order: TailOrder): Result<OpenTail>;
  /** Readers, and streams that are watched for them. For leak checks. */
  usage(): { readonly tails: number; readonly watched: number };
  /** Ends every tail and takes no more. */
  stop(): void;
}

export interface StreamsDeps {
  readonly store: StreamStore;
  readonly sessions: Pick<SessionStore, 'findById' | 'findByExternalId'>;
  readonly orders: Pick<SessionOrders, 'wake'>;
  readonly changes: Changes;
  readonly failpoints: Failpoints;
  /** What tells a caller that a run waits for its version; without it, nobody is told. */
  readonly parking?: Omit<ParkedRunsDeps, 'sessions'>;
  /** Default: what `limits` says of one process. */
  readonly readerLimits?: ReaderLimits;
  /** Transactions of appends at once. Default: as many as a pool of connections bears. */
  readonly flushes?: number;
  /** Id for the envelope of a record that came without one. */
  readonly newRecordId: () => string;
  readonly workflowIdOf: (environment: Environment, externalId: string) => string;
  readonly onWakeUndelivered: (run: DeadRun, cause: unknown) => void;
  readonly onFault: (cause: unknown) => void;
}

const emptyTranscript: TranscriptPage = { next: 0, last: null, json: Buffer.alloc(0) };
const emptyPage: StreamPage = { next: 0, settled: false, records: [] };

export function openStreams(deps: StreamsDeps): Streams {
  const hub = new StreamHub(deps);
  const locate = sessionLocator(deps.sessions);
  const queue = openAppendQueue({
    store: deps.store,
    ...(deps.flushes === undefined ? {} : { flushes: deps.flushes }),
    onCommitted: (committed) => tellReaders({ hub, changes: deps.changes }, committed),
  });
  const isParked = deps.parking === undefined ? async () => false : parkedRuns({ ...deps, ...deps.parking });
  const appending = { queue, isParked, waker: runWaker({ ...deps, onUndelivered: deps.onWakeUndelivered }), ...deps };
  const tails = new TailRegister(deps.readerLimits ?? defaultReaderLimits);

  function openTail(stream: NamedStream, order: TailOrder): Result<OpenTail> {
    const locating = { locate, changes: deps.changes, workflowId: deps.workflowIdOf(stream.environment, stream.key) };
    let tail: Tail | null = null;
    const place = { stream: registerKey(stream), key: order.readerKey };
    const admission = tails.admit(place, (reason) => tail?.end(reason));
    if (admission.kind === 'crowded') return fail({ code: 'readers_crowded', limit: admission.limit });
    const { release } = admission;
    let isOver: TailEnd | null = null;
    return succeed({
      async follow(sink) {
        const watched = async (left: AbortSignal) =>
          placeOf(stream.session ?? (await awaitSession(locating, stream, left)), stream.stream);
        tail = new Tail({ store: deps.store, hub }, { ...order, sink, stream: watched });
        if (isOver !== null) tail.end(isOver);
        try {
          return await tail.run();
        } finally {
          release();
        }
      },
      end(reason) {
        isOver = reason;
        tail?.end(reason);
        if (tail === null) release();
      },
    });
  }

  return {
    locate,
    append: (order) => appendRecord(appending, order),
    appendBatch: (order) => appendBatch(appending, order),
    write: (order) => writeRecords(appending, order),
    read: async ({ session, stream }, from) =>
      session === null ? emptyPage : deps.store.read({ sessionId: session.id, stream }, from),
    readTranscript: async ({ session, stream }, range) =>
      session === null ? emptyTranscript : deps.store.readTranscript({ sessionId: session.id, stream }, range),
    openTail,
    usage: () => ({ tails: tails.count, watched: hub.watchedCount }),
    stop: () => tails.stop(),
  };
}

const placeOf = ({ id, workflowId }: LocatedSession, stream: StreamName) => ({ sessionId: id, workflowId, stream });

/** The same before and after the session exists, and by either form of its key. */
const registerKey = ({ environment, key, session, stream }: NamedStream): string =>
  `${environment.id}/${session === null ? key : sessionKey(session)}/${stream}`;

/** Readers here get the records themselves, other processes a hint. An expiry wrote records that are not at hand. */
function tellReaders(
  { hub, changes }: { hub: StreamHub; changes: Pick<Changes, 'publish' | 'announce'> },
  committed: readonly CommittedAppend[],
): void {
  const stored = new Map<StreamName, { place: StreamPlace; records: StoredRecord[] }>();
  for (const { append, answer } of committed) {
    const { outcome, atMs } = answer;
    if (outcome.kind === 'expired') changes.publish(append.workflowId);
    if (outcome.kind !== 'stored') continue;
    const ofStream = stored.get(append.stream) ?? { place: append, records: [] };
    append.records.forEach(({ headers, body }, offset) => {
      ofStream.records.push({ seq: outcome.seq + offset, atMs, headers, body: bodyText(body) });
    });
    stored.set(append.stream, ofStream);
  }
  for (const { place, records } of stored.values()) hub.handOver(place, records);
  const [first] = committed;
  if (first === undefined || stored.size === 0) return;
  // Who waits on a waitpoint hears of changes, in this process as well.
  if (committed.some(({ answer }) => answer.completedWaits)) changes.publish(first.append.workflowId);
  else changes.announce(first.append.workflowId);
}
