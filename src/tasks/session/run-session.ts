/** The session that a run serves, as its task sees it; made for one attempt, and ended with it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunInput } from '../../domain/run-input.ts';
import { isChannelName } from '../../domain/stream.ts';
import { idleTimeoutDefaultMs, settleDeadlineMs } from '../../domain/task-limits.ts';
import type { GrantedClaim } from '../claim-run.ts';
import type { TaskLog } from '../task-log.ts';
import { Cursor } from './cursor.ts';
import { RecordWriter } from './record-writer.ts';
import { openSessionApi, type SessionApi } from './session-api.ts';
import { type InReader, openSessionIn, type SessionIn } from './session-in.ts';
import { type MainOut, openSessionOut, type SessionOut } from './session-out.ts';

/** What a task is given of its session. */
export interface RunSession {
  readonly id: string;
  readonly externalId: string | null;
  /** What callers address the session by: external id, else id. */
  readonly key: string;
  /** What clients append, from the first message on that no run has consumed. */
  readonly in: SessionIn;
  /** What the task answers. */
  readonly out: MainOut;
  /** A named pair of streams beside the main one. It wakes no run, and the server keeps no cursor of it. */
  channel(name: string, options?: ChannelOptions): SessionChannel;
}

export interface ChannelOptions {
  /** Seq after which `in` is read. Default: from the first record on. */
  readonly after?: number | undefined;
}

export interface SessionChannel {
  readonly in: SessionIn;
  readonly out: SessionOut;
}

export interface OpenRunSessionOptions {
  readonly url: string;
  readonly input: RunInput;
  readonly claim: GrantedClaim;
  /** Fires when the attempt has to end. */
  readonly signal: AbortSignal;
  readonly onSuperseded: () => void;
  readonly log: TaskLog;
}

export interface OpenedSession {
  readonly session: RunSession;
  /** The task has returned: what it was given is consumed, and what it appended is durable, when this resolves. */
  finish(): Promise<void>;
  /**
   * The task has failed, or was stopped: what it appended and consumed before that is on its way for a while longer.
   * Another attempt would make up for what does not arrive.
   */
  settle(): Promise<void>;
  /** The attempt is over: nothing is read or written any more. */
  release(): void;
}

export function openRunSession(options: OpenRunSessionOptions): OpenedSession {
  const { url, input, claim, signal, log } = options;
  const over = new AbortController();
  const api = openSessionApi({
    url,
    credential: claim.attemptKey,
    over: over.signal,
    onSuperseded: options.onSuperseded,
  });
  const parts: StreamParts = {
    api,
    base: `/realtime/v1/sessions/${input.session.id}`,
    signal: AbortSignal.any([signal, over.signal]),
    log,
    defaultTimeoutMs: input.idleTimeoutInSeconds === null ? idleTimeoutDefaultMs : input.idleTimeoutInSeconds * 1_000,
    runScope: `run-${input.run.number}`,
    writers: [],
  };
  const answered = async (): Promise<void> => {
    for (const writer of parts.writers) await writer.settled();
  };
  const cursor = new Cursor({ api, path: `/api/v1/runs/${input.run.id}/cursor`, answered, log });
  const main = openMain(parts, { cursor, from: claim.cursor });
  const settle = async (): Promise<void> => {
    await answered();
    await cursor.flush();
  };
  return {
    session: new Session(input.session, { main, channel: channels(parts) }),
    async finish() {
      await answered();
      await main.in.finish();
    },
    async settle() {
      const late = new AbortController();
      const limit = delay(settleDeadlineMs, undefined, { signal: late.signal }).catch(() => undefined);
      await Promise.race([
        limit,
        settle().catch((err: unknown) => log.debug({ err }, 'not all of it could be stored')),
      ]);
      late.abort();
    },
    release: () => over.abort(new Error('the attempt is over: its session is no longer read or written')),
  };
}

interface StreamParts {
  readonly api: SessionApi;
  readonly base: string;
  readonly signal: AbortSignal;
  readonly log: TaskLog;
  readonly defaultTimeoutMs: number;
  readonly runScope: string;
  /** All that were opened. */
  readonly writers: RecordWriter[];
}

interface MainStreams {
  readonly in: InReader;
  readonly out: MainOut;
}

function openMain(parts: StreamParts, { cursor, from }: { cursor: Cursor; from: number }): MainStreams {
  const reader = openSessionIn({ ...parts, path: `${parts.base}/in`, from, cursor });
  const out = openSessionOut({
    writer: openWriter(parts, 'out'),
    runScope: parts.runScope,
    lastSeq: () => reader.lastSeq,
    onConsumed: (seq) => cursor.stored(seq),
  });
  return { in: reader, out };
}

function openWriter(parts: StreamParts, stream: string): RecordWriter {
  const writer = new RecordWriter({ api: parts.api, path: `${parts.base}/${stream}/records`, log: parts.log });
  parts.writers.push(writer);
  return writer;
}

/** One pair for each name, so that part ids and places go on where they were. */
function channels(parts: StreamParts): RunSession['channel'] {
  const opened = new Map<string, SessionChannel>();
  return (name, { after = -1 } = {}) => {
    if (!isChannelName(name)) {
      throw new TypeError(
        `channel: expected 1 to 128 of A-Z, a-z, 0-9, dot, underscore, dash: ${JSON.stringify(name)}`,
      );
    }
    const found = opened.get(name) ?? openChannel(parts, { name, from: after + 1 });
    opened.set(name, found);
    return found;
  };
}

function openChannel(parts: StreamParts, { name, from }: { name: string; from: number }): SessionChannel {
  const path = `${parts.base}/channels/${name}`;
  const reader = openSessionIn({ ...parts, path: `${path}/in`, from, cursor: null });
  const { append, pipe, control } = openSessionOut({
    writer: openWriter(parts, `channels/${name}/out`),
    runScope: parts.runScope,
    lastSeq: () => reader.lastSeq,
    onConsumed: () => undefined,
  });
  return { in: reader, out: { append, pipe, control } };
}

/** What a task returns or logs of it is what identifies it: the streams are no properties of the object itself. */
class Session implements RunSession {
  readonly id: string;
  readonly externalId: string | null;
  readonly key: string;
  readonly #main: MainStreams;
  readonly #channel: RunSession['channel'];

  constructor({ id, externalId, key }: RunInput['session'], streams: SessionStreams) {
    this.id = id;
    this.externalId = externalId;
    this.key = key;
    this.#main = streams.main;
    this.#channel = streams.channel;
  }

  get in(): SessionIn {
    return this.#main.in;
  }

  get out(): MainOut {
    return this.#main.out;
  }

  channel(name: string, options?: ChannelOptions): SessionChannel {
    return this.#channel(name, options);
  }
}

interface SessionStreams {
  readonly main: MainStreams;
  readonly channel: RunSession['channel'];
}
