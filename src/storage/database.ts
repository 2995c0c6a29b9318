/** The one interface to SQL. PGlite and PostgreSQL implement it; everything above is written once. */
export type SqlValue = string | number | boolean | Date | null | Uint8Array | readonly string[] | readonly number[];
/**
 * Columns as JavaScript values, the same on both databases: bigint is a number (beyond 2^53 is a fault), timestamptz
 * a Date, json parsed, bytea bytes, text[] and int[] arrays, numeric a string.
 */
export type SqlRow = Record<string, unknown>;

export interface Sql {
  /** One statement with `$1` parameters. Throws `Unavailable` when the database cannot do it in time. */
  query<Row extends SqlRow = SqlRow>(text: string, values?: readonly SqlValue[]): Promise<readonly Row[]>;
}

export interface Statement {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** Inside a transaction. Statements that need not see each other's rows in this process need not wait for them either. */
export interface TransactionSql extends Sql {
  /**
   * Statements in order, each with a snapshot of its own, taken after the one before has ended; their rows in the same
   * order. One round trip where there is any to save. One that fails dooms those after it.
   */
  pipeline(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]>;
  /**
   * The last statement: COMMIT leaves together with it, and takes effect if it succeeds. What `work` does afterwards
   * must not fail, or it fails a transaction that is committed.
   */
  last<Row extends SqlRow = SqlRow>(statement: Statement): Promise<readonly Row[]>;
}

export interface SchemaSql extends Sql {
  /** Several statements without parameters. */
  script(text: string): Promise<void>;
}

export interface ChannelListener {
  /** One notification of another process. */
  readonly onPayload: (payload: string) => void;
  /** The session was lost and is back: notifications may have been missed in between. */
  readonly onGap: () => void;
}

/** For metrics and leak checks: both are 0 on an idle database. */
export interface DatabaseUsage {
  /** Connections that a statement or transaction holds. */
  readonly busy: number;
  /** Callers that wait for a connection. */
  readonly waiting: number;
}

/** Something went wrong that no caller is told about, because the work goes on. */
export interface DatabaseProblem {
  readonly kind: 'connection lost' | 'side session lost' | 'notification dropped' | 'listener threw' | 'engine crashed';
  readonly cause: unknown;
}

export interface Database extends Sql {
  readonly kind: 'pglite' | 'postgres';
  /**
   * READ COMMITTED. Run once more on a deadlock or serialisation failure, so `work` must be repeatable. One call at a
   * time; a statement that fails dooms the transaction even if `work` catches its error. Without a statement for
   * two seconds it is rolled back. Inside `work` use only its own `sql`: a `query` or `transaction` of the database
   * stands outside of this one, and on PGlite, which has one connection, it is `Unavailable` after two seconds.
   */
  transaction<Value>(work: (sql: TransactionSql) => Promise<Value>): Promise<Value>;
  /** As `transaction`, on a connection of its own with minutes instead of seconds. Migrations only. */
  changeSchema<Value>(work: (sql: SchemaSql) => Promise<Value>): Promise<Value>;
  /** Best effort, on the side session: never throws, takes no connection of `query` and waits for no transaction. */
  notify(channel: string, payload: string): Promise<void>;
  /**
   * Calls back for notifications of other processes; reconnects by itself. Also resolves while the database is down.
   * Resolves to the unsubscriber. On PGlite there is no other process, so nothing ever comes.
   */
  listen(channel: string, listener: ChannelListener): Promise<() => Promise<void>>;
  usage(): DatabaseUsage;
  /** Answers within two seconds or throws `Unavailable`. */
  ping(): Promise<void>;
  /** Waits for work in flight, five seconds at most; afterwards everything is `Unavailable`. Closing twice is closing once. */
  close(): Promise<void>;
}
