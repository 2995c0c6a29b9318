/**
 * One database session beside the pool, for NOTIFY and LISTEN. A transaction that notified takes a lock of the whole
 * database through its commit, so no transaction of ours ever notifies; and LISTEN belongs to a session. Everything
 * here is best effort: a lost notification costs its reader a poll tick.
 *
 * Loops and their bounds: reopening waits 100 ms doubling to 5 s and goes on while somebody listens; a probe every
 * 15 s finds a session that died silently; at most 100 statements wait for the session, then notifications are dropped.
 */
import type pg from 'pg';
import { Unavailable } from '../domain/failure.ts';
import {
  databaseTimeoutMs,
  notificationsWaitingMax,
  sideSessionProbeMs,
  sideSessionReopenFirstMs,
  sideSessionReopenMaxMs,
} from '../domain/limits.ts';
import type { ChannelListener, Database, DatabaseProblem } from './database.ts';
import { withinMs } from './deadline.ts';

export interface SideSession {
  readonly notify: Database['notify'];
  readonly listen: Database['listen'];
  close(): Promise<void>;
}

export interface SideSessionOptions {
  /** A new session; throws `Unavailable`. */
  readonly connect: () => Promise<pg.Client>;
  readonly onProblem: (problem: DatabaseProblem) => void;
}

type State =
  | { readonly kind: 'down' }
  | { readonly kind: 'opening'; readonly opened: Promise<pg.Client> }
  | { readonly kind: 'up'; readonly client: pg.Client }
  | { readonly kind: 'closed' };

export function openSideSession(options: SideSessionOptions): SideSession {
  return new ReopeningSession(options);
}

class ReopeningSession implements SideSession {
  readonly #options: SideSessionOptions;
  readonly #listeners = new Map<string, Set<ChannelListener>>();
  readonly #probe: NodeJS.Timeout;
  #state: State = { kind: 'down' };
  #reopen: NodeJS.Timeout | undefined;
  #reopenMs = sideSessionReopenFirstMs;
  /** Notifications may have been missed since somebody began to listen. */
  #gap = false;
  /** Statements of one session run one after the other. */
  #lastStatement: Promise<unknown> = Promise.resolve();
  #statementsWaiting = 0;

  constructor(options: SideSessionOptions) {
    this.#options = options;
    this.#probe = setInterval(() => {
      if (this.#state.kind === 'up') this.#run('SELECT 1').catch(() => {});
    }, sideSessionProbeMs);
    this.#probe.unref();
  }

  notify = async (channel: string, payload: string): Promise<void> => {
    try {
      await this.#run('SELECT pg_notify($1, $2)', [channel, payload]);
    } catch (cause) {
      this.#options.onProblem({ kind: 'notification dropped', cause });
    }
  };

  listen = async (channel: string, listener: ChannelListener): Promise<() => Promise<void>> => {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(listener));
    // When this fails, reopening is under way, and the listener is told of the gap once it has succeeded.
    await this.#run(`LISTEN ${quoted(channel)}`).catch(() => {});
    return async () => {
      if (!listeners.delete(listener) || listeners.size > 0 || this.#listeners.get(channel) !== listeners) return;
      this.#listeners.delete(channel);
      if (this.#state.kind === 'up') await this.#run(`UNLISTEN ${quoted(channel)}`).catch(() => {});
    };
  };

  async close(): Promise<void> {
    const client = this.#state.kind === 'up' ? this.#state.client : null;
    this.#state = { kind: 'closed' };
    clearInterval(this.#probe);
    clearTimeout(this.#reopen);
    this.#listeners.clear();
    if (client !== null) await endQuietly(client);
  }

  #run(text: string, values: string[] = []): Promise<void> {
    if (this.#statementsWaiting >= notificationsWaitingMax) {
      return Promise.reject(new Unavailable('database', new Error('too many statements wait for the side session')));
    }
    this.#statementsWaiting += 1;
    const statement = this.#lastStatement.then(() => this.#runNow(text, values));
    this.#lastStatement = statement
      .catch(() => {})
      .finally(() => {
        this.#statementsWaiting -= 1;
      });
    return statement;
  }

  async #runNow(text: string, values: string[]): Promise<void> {
    const client = await this.#opened();
    try {
      await withinMs(client.query(text, values), databaseTimeoutMs);
    } catch (cause) {
      this.#lose(client, cause);
      throw cause;
    }
  }

  #opened(): Promise<pg.Client> {
    const state = this.#state;
    switch (state.kind) {
      case 'up':
        return Promise.resolve(state.client);
      case 'opening':
        return state.opened;
      case 'closed':
        return Promise.reject(new Unavailable('database', new Error('the side session is closed')));
      case 'down': {
        clearTimeout(this.#reopen);
        const opened = this.#open();
        this.#state = { kind: 'opening', opened };
        return opened;
      }
    }
  }

  async #open(): Promise<pg.Client> {
    let client: pg.Client | null = null;
    try {
      client = await this.#options.connect();
      await this.#prepare(client);
      return client;
    } catch (cause) {
      if (client !== null) void endQuietly(client);
      if (this.#state.kind !== 'closed') this.#state = { kind: 'down' };
      this.#gap = true;
      this.#scheduleReopen();
      throw cause;
    }
  }

  /** LISTEN comes before anybody is told of the gap: what they then read, they read after it. */
  async #prepare(client: pg.Client): Promise<void> {
    client.on('error', (cause) => this.#lose(client, cause));
    client.on('end', () => this.#lose(client, new Error('the server ended the session')));
    client.on('notification', (message) => this.#dispatch(client, message));
    for (const channel of this.#listeners.keys()) {
      await withinMs(client.query(`LISTEN ${quoted(channel)}`), databaseTimeoutMs);
    }
    if (this.#state.kind === 'closed') throw new Unavailable('database', new Error('the side session is closed'));
    this.#state = { kind: 'up', client };
    this.#reopenMs = sideSessionReopenFirstMs;
    if (this.#gap) this.#tellOfGap();
  }

  #tellOfGap(): void {
    this.#gap = false;
    for (const listeners of [...this.#listeners.values()]) {
      for (const listener of [...listeners]) this.#tell(() => listener.onGap());
    }
  }

  #lose(client: pg.Client, cause: unknown): void {
    if (this.#state.kind !== 'up' || this.#state.client !== client) return;
    this.#state = { kind: 'down' };
    this.#gap = true;
    this.#options.onProblem({ kind: 'side session lost', cause });
    void endQuietly(client);
    this.#scheduleReopen();
  }

  #scheduleReopen(): void {
    if (this.#state.kind !== 'down' || this.#listeners.size === 0) return;
    clearTimeout(this.#reopen);
    // Spread out, so that the processes of a restarted server do not all come at once.
    const pauseMs = this.#reopenMs * (0.5 + Math.random() / 2);
    this.#reopen = setTimeout(() => {
      // Its failure schedules the next attempt.
      if (this.#state.kind === 'down') this.#opened().catch(() => {});
    }, pauseMs);
    this.#reopen.unref();
    this.#reopenMs = Math.min(this.#reopenMs * 2, sideSessionReopenMaxMs);
  }

  #dispatch(client: pg.Client, message: pg.Notification): void {
    // The server notifies the sender too.
    if (message.processId === processIdOf(client)) return;
    for (const listener of [...(this.#listeners.get(message.channel) ?? [])]) {
      this.#tell(() => listener.onPayload(message.payload ?? ''));
    }
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (cause) {
      this.#options.onProblem({ kind: 'listener threw', cause });
    }
  }
}

const processIdOf = (client: pg.Client): unknown => ('processID' in client ? client.processID : undefined);

function quoted(channel: string): string {
  if (!/^[a-z_]{1,63}$/.test(channel)) throw new Error(`not a channel name: ${channel}`);
  return `"${channel}"`;
}

async function endQuietly(client: pg.Client): Promise<void> {
  await withinMs(client.end(), databaseTimeoutMs).catch(() => {});
}
