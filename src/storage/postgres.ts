/**
 * PostgreSQL 15 and later, through a pool. Every wait is bounded: for a connection, for a lock, for a statement, for an
 * answer. A connection that failed never returns to the pool, and no failure of an idle one reaches anybody but
 * `onProblem`. Sessions carry settings and prepared statements, so a proxy in between must pool by session.
 */
import type { Writable } from 'node:stream';
import pg from 'pg';
import { Unavailable } from '../domain/failure.ts';
import {
  connectionIdleMs,
  connectionLifetimeSeconds,
  databaseAnswerTimeoutMs,
  databaseCloseTimeoutMs,
  databaseTimeoutMs,
  databaseWaitersMax,
  schemaLockTimeoutMs,
  schemaStatementTimeoutMs,
} from '../domain/limits.ts';
import type { Database, DatabaseProblem, SqlRow, SqlValue } from './database.ts';
import { withinMs } from './deadline.ts';
import { plannerSettings } from './planner-settings.ts';
import { type Connection, repeatOnce, runTransaction } from './run-transaction.ts';
import { openSideSession } from './side-session.ts';
import { isConnectionLost, isStalePlan, toThrown } from './sql-errors.ts';
import { decoderOf, encodeValue } from './sql-values.ts';
import { statementNames } from './statement-names.ts';

export interface PostgresOptions {
  readonly url: string;
  /** Connections for statements and transactions. The side session is one more; a migration takes another. */
  readonly poolSize: number;
  readonly onProblem: (problem: DatabaseProblem) => void;
}

/** Connects on first use, so it never fails: `ping` tells whether the server is there. */
export function openPostgres(options: PostgresOptions): Database {
  const clients = openPool(options);
  const side = openSideSession({
    connect: () => connectClient(clientConfig(options.url)),
    onProblem: options.onProblem,
  });
  let closed: Promise<void> | null = null;
  const database: Database = {
    kind: 'postgres',
    query: <Row extends SqlRow>(text: string, values: readonly SqlValue[] = []) =>
      repeatOnce(() => clients.use((connection) => connection.run(text, values) as Promise<readonly Row[]>)),
    transaction: (work) => repeatOnce(() => clients.use((connection) => runTransaction(connection, work))),
    changeSchema: (work) => onSchemaConnection(options.url, (connection) => runTransaction(connection, work)),
    notify: side.notify,
    listen: side.listen,
    usage: clients.usage,
    ping: async () => {
      await withinMs(database.query('SELECT 1'), databaseTimeoutMs);
    },
    close: () => {
      closed ??= Promise.all([side.close(), clients.end()]).then(() => {});
      return closed;
    },
  };
  return database;
}

function openPool(options: PostgresOptions) {
  const pool = new pg.Pool({
    ...clientConfig(options.url),
    // BEGIN leaves together with the first statement of its transaction; otherwise one statement at a time.
    pipeline: true,
    max: options.poolSize,
    idleTimeoutMillis: connectionIdleMs,
    maxLifetimeSeconds: connectionLifetimeSeconds,
  });
  const nameOf = statementNames();
  const lost = new WeakSet<pg.ClientBase>();
  pool.on('error', (cause) => options.onProblem({ kind: 'connection lost', cause }));
  // The pool listens for errors only while a client is idle; one that is in use would end the process.
  pool.on('connect', (client) => client.on('error', () => lost.add(client)));

  async function checkOut(): Promise<pg.PoolClient> {
    if (pool.waitingCount >= databaseWaitersMax) {
      throw new Unavailable('database', new Error(`${databaseWaitersMax} callers wait for a connection already`));
    }
    try {
      return await pool.connect();
    } catch (error) {
      throw new Unavailable('database', error);
    }
  }

  return {
    async use<Value>(work: (connection: Connection) => Promise<Value>): Promise<Value> {
      const client = await checkOut();
      try {
        return await work(connectionOver(client, { nameOf, onLost: () => lost.add(client) }));
      } finally {
        client.release(lost.has(client));
      }
    },
    usage: () => ({ busy: pool.totalCount - pool.idleCount, waiting: pool.waitingCount }),
    async end(): Promise<void> {
      await withinMs(pool.end(), databaseCloseTimeoutMs).catch((cause) =>
        options.onProblem({ kind: 'connection lost', cause }),
      );
    },
  };
}

function connectionOver(
  client: pg.ClientBase,
  { nameOf, onLost }: { nameOf: (text: string) => string | null; onLost: () => void },
): Connection {
  function refuse(error: unknown): never {
    if (isConnectionLost(error) || isStalePlan(error)) onLost();
    throw toThrown(error);
  }
  const together = sendTogether(client);
  return {
    async run(text, values) {
      const name = nameOf(text);
      const query = { text, values: values.map(encodeValue), ...(name === null ? {} : { name }) };
      together();
      const result = await client.query<SqlRow>(query).catch(refuse);
      return result.rows;
    },
    async command(text) {
      together();
      await client.query(text).catch(refuse);
    },
  };
}

/**
 * Statements that leave in one turn leave in one packet: a lone append is two writes instead of six, each of which takes
 * 0.015 ms. The socket is the driver's own affair; without it, each statement leaves by itself.
 */
function sendTogether(client: pg.ClientBase): () => void {
  const { connection } = client as { connection?: { stream?: Partial<Pick<Writable, 'cork' | 'uncork'>> } };
  const socket = connection?.stream;
  let isCorked = false;
  return () => {
    if (isCorked || socket?.cork === undefined) return;
    isCorked = true;
    socket.cork();
    process.nextTick(() => {
      isCorked = false;
      socket.uncork?.();
    });
  };
}

async function onSchemaConnection<Value>(
  url: string,
  work: (connection: Connection) => Promise<Value>,
): Promise<Value> {
  const client = await connectClient({
    ...clientConfig(url),
    lock_timeout: schemaLockTimeoutMs,
    statement_timeout: schemaStatementTimeoutMs,
    query_timeout: schemaStatementTimeoutMs + databaseTimeoutMs,
    pipeline: true,
  });
  try {
    return await work(connectionOver(client, { nameOf: () => null, onLost: () => {} }));
  } finally {
    await withinMs(client.end(), databaseTimeoutMs).catch(() => {});
  }
}

/** Throws `Unavailable`. The client's later errors are ignored; `end` and failing statements tell of them. */
async function connectClient(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  client.on('error', () => {});
  try {
    await client.connect();
    return client;
  } catch (error) {
    void withinMs(client.end(), databaseTimeoutMs).catch(() => {});
    throw new Unavailable('database', error);
  }
}

/** Session settings that our guarantees rest on; what the URL says of them is left out. */
const ownSettings = [
  'lock_timeout',
  'statement_timeout',
  'idle_in_transaction_session_timeout',
  'query_timeout',
  'options',
];

const sessionSettings = ['DateStyle=ISO', 'TimeZone=UTC', 'client_min_messages=warning', ...plannerSettings];

function clientConfig(url: string): pg.ClientConfig {
  const address = new URL(url);
  const options = address.searchParams.get('options') ?? '';
  for (const setting of ownSettings) address.searchParams.delete(setting);
  return {
    connectionString: address.toString(),
    fallback_application_name: 'perdure',
    options: `${options} ${sessionSettings.map((setting) => `-c ${setting}`).join(' ')}`.trimStart(),
    connectionTimeoutMillis: databaseTimeoutMs,
    // A little less than the statement, which otherwise hides that a lock was the cause.
    lock_timeout: databaseTimeoutMs - 100,
    statement_timeout: databaseTimeoutMs,
    idle_in_transaction_session_timeout: databaseTimeoutMs,
    query_timeout: databaseAnswerTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: databaseTimeoutMs,
    types: { getTypeParser: ((typeId: number) => decoderOf(typeId)) as typeof pg.types.getTypeParser },
  };
}
