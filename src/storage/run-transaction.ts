/** BEGIN, work, COMMIT on one connection: the rules that both databases share. */
import { setTimeout as pause } from 'node:timers/promises';
import { Unavailable } from '../domain/failure.ts';
import { databaseTimeoutMs, repeatPauseMs } from '../domain/limits.ts';
import type { SchemaSql, SqlRow, SqlValue, Statement, TransactionSql } from './database.ts';
import { isRepeatable } from './sql-errors.ts';

/**
 * One session of the database. Whoever holds it runs one statement at a time, except that BEGIN is not waited for: so
 * calls must take effect in the order in which they are made.
 */
export interface Connection {
  /** Throws `Unavailable`, or the server's own error when that is a fault of ours. */
  run(text: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** Statements without parameters and without rows. */
  command(text: string): Promise<void>;
}

/**
 * Statements of a transaction are planned once for each connection and not for each call: the planner takes an array
 * for cheaper when it knows its length, and so planned anew each time; a lone append took 1.07 ms of the database
 * instead of 0.65. That such plans stay good is the matter of `plannerSettings`.
 */
const beginSql = 'BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL plan_cache_mode = force_generic_plan';

/**
 * BEGIN travels together with the first statement: one round trip less for each transaction.
 * Against a server on the same machine that is 0.05 ms of 0.26; across a network it is a quarter of a transition.
 */
export async function runTransaction<Value>(
  connection: Connection,
  work: (sql: SchemaSql & TransactionSql) => Promise<Value>,
): Promise<Value> {
  const begun = connection.command(beginSql);
  const statements = new TransactionStatements(connection, begun);
  try {
    const value = await Promise.race([work(statements), statements.idleTooLong]);
    await statements.commit();
    return value;
  } catch (error) {
    await statements.abandon();
    throw error;
  } finally {
    statements.stopClock();
  }
}

/** Tries once more after a failure that another try may not meet (deadlock, serialisation, stale plan). */
export async function repeatOnce<Value>(attempt: () => Promise<Value>): Promise<Value> {
  try {
    return await attempt();
  } catch (error) {
    if (!isRepeatable(error instanceof Unavailable ? error.cause : error)) throw error;
    // Two that met must not meet again.
    await pause(repeatPauseMs * (0.5 + Math.random() / 2));
    return attempt();
  }
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'busy'; readonly statement: Promise<unknown> }
  | { readonly kind: 'ended' };

class TransactionStatements implements SchemaSql, TransactionSql {
  /** Rejects when `work` runs no statement for too long: it must not keep locks, or the one connection of PGlite. */
  readonly idleTooLong: Promise<never>;
  readonly #connection: Connection;
  readonly #begun: Promise<void>;
  readonly #clock: NodeJS.Timeout;
  #state: State = { kind: 'idle' };
  #failure: { readonly error: unknown } | null = null;
  /** Left together with the last statement. */
  #committed: Promise<void> | null = null;

  constructor(connection: Connection, begun: Promise<void>) {
    this.#connection = connection;
    this.#begun = begun;
    begun.catch(() => {});
    const { promise, reject } = rejectable();
    this.idleTooLong = promise;
    this.#clock = setTimeout(() => {
      if (this.#state.kind !== 'idle') return;
      this.#state = { kind: 'ended' };
      reject(new Unavailable('database', new Error(`no statement for ${databaseTimeoutMs} ms inside a transaction`)));
    }, databaseTimeoutMs);
  }

  query<Row extends SqlRow>(text: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    return this.#enter(() => this.#connection.run(text, values)) as Promise<readonly Row[]>;
  }

  pipeline(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]> {
    return this.#enter(() => Promise.all(statements.map(({ text, values }) => this.#connection.run(text, values))));
  }

  /** COMMIT after a statement that failed rolls back, so nothing is committed that was not done. */
  async last<Row extends SqlRow>({ text, values }: Statement): Promise<readonly Row[]> {
    const rows = await this.#enter(() => {
      const done = this.#connection.run(text, values);
      this.#committed = this.#connection.command('COMMIT');
      this.#committed.catch(() => {});
      return done;
    });
    this.#state = { kind: 'ended' };
    return rows as readonly Row[];
  }

  script(text: string): Promise<void> {
    return this.#enter(() => this.#connection.command(text));
  }

  /** Everything that was asked for has succeeded. */
  async commit(): Promise<void> {
    if (this.#state.kind === 'busy') throw new Error('a transaction ended while a statement of it was still running');
    this.#state = { kind: 'ended' };
    await this.#begun;
    if (this.#failure !== null) throw this.#failure.error;
    await (this.#committed ?? this.#connection.command('COMMIT'));
  }

  /** A connection that cannot roll back is lost, and the server rolls back for it. */
  async abandon(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: 'ended' };
    if (state.kind === 'busy') await state.statement.catch(() => {});
    await this.#connection.command('ROLLBACK').catch(() => {});
  }

  stopClock(): void {
    clearTimeout(this.#clock);
  }

  async #enter<Value>(start: () => Promise<Value>): Promise<Value> {
    if (this.#state.kind === 'ended') throw new Error('this transaction has ended');
    if (this.#state.kind === 'busy')
      throw new Error('a transaction runs one statement at a time: await the one before');
    const statement = start();
    this.#state = { kind: 'busy', statement };
    try {
      const value = await statement;
      await this.#begun;
      return value;
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    } finally {
      this.#clock.refresh();
      // Still busy unless `abandon` ended it meanwhile.
      if ((this.#state as State).kind === 'busy') this.#state = { kind: 'idle' };
    }
  }
}

function rejectable(): { promise: Promise<never>; reject: (error: unknown) => void } {
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<never>((_resolve, refuse) => {
    reject = refuse;
  });
  promise.catch(() => {});
  return { promise, reject };
}
