/**
 * A session's `out` as a task writes it: in order, durable when a promise resolves, and once for each part id.
 *
 * Part ids are the same in every attempt that does the same: unless the task gives its own, they count what was
 * appended since the message in hand, so a repeated attempt finds what is already there and adds what is not.
 */
import { partIdLengthMax, recordMeteredBytesMax } from '../../domain/limits.ts';
import { meteredBytes, type RecordHeader } from '../../domain/record.ts';
import type { InMessage } from './message.ts';
import type { RecordText, RecordWriter } from './record-writer.ts';
import { SessionError } from './session-error.ts';

export interface AppendOptions {
  /** Part id: of records with the same one, the first counts, in whatever attempt or run it was written. */
  readonly id?: string | undefined;
}

export interface Appended {
  /** The record's place in the stream; of a repeated part id, the first record's. */
  readonly seq: number;
}

export interface ControlOptions extends AppendOptions {
  /** Further headers of the record. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface TurnCompleteOptions extends AppendOptions {
  /** The message, or the seq of the last message, that this turn has answered. Default: the one in hand. */
  readonly message?: Pick<InMessage, 'seq'> | undefined;
  /** A fresh token for the reader's next requests. */
  readonly publicAccessToken?: string | undefined;
}

export interface SessionOut {
  /**
   * Appends one record; `data` is anything that is JSON. Resolves when it is durable, and need not be awaited:
   * records keep their order, and the run does not end before them.
   * @throws SessionError
   */
  append(data: unknown, options?: AppendOptions): Promise<Appended>;
  /**
   * Appends each item of a stream as a record, and holds the stream back while the server is behind. Resolves when
   * all are durable. With `id`, the part ids are `<id>/0`, `<id>/1` and so on.
   * @throws SessionError, or what the stream throws; records that came before are stored
   */
  pipe(source: AsyncIterable<unknown> | Iterable<unknown>, options?: AppendOptions): Promise<Piped>;
  /** Appends a record without data that steers readers: its header `trigger-control` has this value. */
  control(type: string, options?: ControlOptions): Promise<Appended>;
}

/** The session's own `out`, whose readers wait for the end of a turn. */
export interface MainOut extends SessionOut {
  /**
   * Tells readers that the answer is complete, and the server, in the same step, that the message is consumed: after
   * it, no attempt or run is given that message again.
   */
  turnComplete(options?: TurnCompleteOptions): Promise<Appended>;
}

export interface Piped {
  /** How many records the stream became. */
  readonly count: number;
  /** Seq of the last one; null when there was none. */
  readonly lastSeq: number | null;
}

export interface SessionOutOptions {
  readonly writer: RecordWriter;
  /** What part ids begin with while nothing has been read from `in`: the same in every attempt of a run. */
  readonly runScope: string;
  /** Seq of the message in hand, or of the last one; null before the first. */
  readonly lastSeq: () => number | null;
  /** A turn-complete that consumed everything up to this seq is stored. */
  readonly onConsumed: (seq: number) => void;
}

export function openSessionOut(options: SessionOutOptions): MainOut {
  const ids = partIds(options);
  const write = async (parts: RecordParts): Promise<Appended> => ({
    seq: await options.writer.append(recordText(parts)),
  });
  const control = (type: string, { id, headers = {} }: ControlOptions): Promise<Appended> =>
    write({ id: id ?? ids.next(), headers: [['trigger-control', type], ...Object.entries(headers)] });

  return {
    append: async (data, { id } = {}) => write({ id: id ?? ids.next(), data }),
    pipe: async (source, { id } = {}) => pipeInto(options.writer, { source, prefix: id ?? ids.next() }),
    control: async (type, controlOptions = {}) => control(type, controlOptions),
    async turnComplete({ id, message, publicAccessToken } = {}) {
      const consumed = message?.seq ?? options.lastSeq();
      const appended = await control('turn-complete', {
        id: id ?? (consumed === null ? undefined : `in-${consumed}/turn-complete`),
        headers: {
          ...(publicAccessToken === undefined ? {} : { 'public-access-token': publicAccessToken }),
          ...(consumed === null ? {} : { 'session-in-event-id': String(consumed) }),
        },
      });
      if (consumed !== null) options.onConsumed(consumed);
      return appended;
    },
  };
}

/** Counted anew for each message, so that what an attempt wrote before its crash does not shift what follows. */
function partIds({ runScope, lastSeq }: SessionOutOptions): { next(): string } {
  let scope: number | null = null;
  let count = 0;
  return {
    next() {
      const inHand = lastSeq();
      if (inHand !== scope) count = 0;
      scope = inHand;
      const id = `${inHand === null ? runScope : `in-${inHand}`}/${count}`;
      count += 1;
      return id;
    },
  };
}

async function pipeInto(
  writer: RecordWriter,
  { source, prefix }: { source: AsyncIterable<unknown> | Iterable<unknown>; prefix: string },
): Promise<Piped> {
  let count = 0;
  let last: Promise<number> | null = null;
  let failure: { readonly cause: unknown } | null = null;
  for await (const data of source) {
    // Leaving the loop tells the source that nobody listens any more.
    if (failure !== null) break;
    const stored = writer.append(recordText({ id: `${prefix}/${count}`, data }));
    stored.catch((cause: unknown) => {
      failure ??= { cause };
    });
    last = stored;
    count += 1;
    await writer.ready();
  }
  // A record is stored only when all before it are.
  const lastSeq = last === null ? null : await last;
  return { count, lastSeq };
}

interface RecordParts {
  readonly id: string;
  /** Absent in a control record. */
  readonly data?: unknown;
  readonly headers?: readonly RecordHeader[];
}

function recordText({ id, data, headers }: RecordParts): RecordText {
  if (typeof id !== 'string' || id.length < 1 || id.length > partIdLengthMax) {
    throw new RangeError(`id: a part id has 1 to ${partIdLengthMax} characters: ${JSON.stringify(id)}`);
  }
  const content = headers === undefined ? `"data":${jsonOf(data)}` : `"headers":${JSON.stringify(headers)}`;
  const json = `{${content},"id":${JSON.stringify(id)}}`;
  const bytes = Buffer.byteLength(json);
  if (meteredBytes(bytes) <= recordMeteredBytesMax) return { json, bytes };
  throw new SessionError(
    'refused',
    `a record of ${bytes} bytes was to be appended; ${recordMeteredBytesMax} are allowed: split it into several`,
  );
}

function jsonOf(data: unknown): string {
  const text = JSON.stringify(data) as string | undefined;
  if (text !== undefined) return text;
  throw new TypeError(`append: a ${typeof data} is not JSON`);
}
