/** What one call costs, counted rather than timed. */
import proto from '@temporalio/proto';
import { callTemporal, connectTemporal } from '../../src/temporal/connect.ts';
import { query } from '../engines.ts';
import type { Field, Site } from './field.ts';

export interface Price {
  readonly name: string;
  readonly workflowTasks: number;
  readonly historyEvents: number;
  /** As they travel to a worker that has to replay them. */
  readonly historyBytes: number;
  readonly historyEventTypes: readonly string[];
  /** Null: the call has no database, or its server does not count. */
  readonly database: DatabasePrice | null;
}

export interface DatabasePrice {
  /** Each of ours is one round trip and, outside of a transaction, one commit. */
  readonly statements: number;
  /** Bytes of write-ahead log. */
  readonly walBytes: number;
  readonly texts: readonly { readonly text: string; readonly calls: number }[];
}

const countedCalls = 50;
const restDeadlineMs = 10_000;
const { EventType } = proto.temporal.api.enums.v1;
const { History } = proto.temporal.api.history.v1;

export async function priceOf({ engines, engine, onPostgres }: Field): Promise<readonly Price[]> {
  const { address } = engines.temporal;
  const one = { calls: 1, inFlight: 1 };
  const { externalId } = await onPostgres.client.createOne();
  const floor = await engine.measure({ ...one, contender: 'floor' });
  const updated = await engine.measure({ ...one, contender: 'update-with-start' });
  const counts = engines.postgres.countsStatements;
  const many = { calls: countedCalls, inFlight: 1 };
  const create = counts ? await databasePrice(onPostgres, () => onPostgres.client.create(many)) : null;
  const cached = counts ? await databasePrice(onPostgres, () => onPostgres.client.createAgain(many)) : null;
  const history = (namespace: string, workflowId: string) => historyPrice({ address, namespace, workflowId });
  return [
    { name: 'floor', ...(await history('engine', floor.workflowId)), database: null },
    {
      name: 'create',
      ...(await history(onPostgres.server.namespace, `session/dev/${externalId}`)),
      database: create,
    },
    { name: 'bare update-with-start', ...(await history('engine', updated.workflowId)), database: null },
    {
      name: 'cached create',
      workflowTasks: 0,
      historyEvents: 0,
      historyBytes: 0,
      historyEventTypes: [],
      database: cached,
    },
  ];
}

type HistoryPrice = Omit<Price, 'name' | 'database'>;

async function historyPrice(of: { address: string; namespace: string; workflowId: string }): Promise<HistoryPrice> {
  const { address, namespace, workflowId } = of;
  const target = { address, namespace, apiKey: null, tls: false, tlsCertFile: null, tlsKeyFile: null };
  const { connection, client } = await connectTemporal(target, { log: () => undefined });
  try {
    const handle = client.workflow.getHandle(workflowId);
    // An answer comes before its workflow task has completed.
    await callTemporal(client, restDeadlineMs, async () => {
      while ((await handle.describe()).raw.pendingWorkflowTask) continue;
    });
    const history = await handle.fetchHistory();
    const types = (history.events ?? []).map(({ eventType }) => EventType[eventType ?? 0] ?? '');
    const names = types.map((type) => type.replace('EVENT_TYPE_', '').toLowerCase().replaceAll('_', ' '));
    return {
      workflowTasks: names.filter((name) => name === 'workflow task completed').length,
      historyEvents: names.length,
      historyBytes: History.encode(history).finish().length,
      historyEventTypes: names,
    };
  } finally {
    await connection.close();
  }
}

interface StatementRow {
  readonly text: string;
  readonly calls: number;
  readonly wal_bytes: number;
}

async function databasePrice({ databaseUrl }: Site, call: () => Promise<unknown>): Promise<DatabasePrice> {
  if (databaseUrl === null) throw new Error('only PostgreSQL counts statements');
  await query(databaseUrl, 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  // The first such call prepares what the later ones use.
  await call();
  await query(databaseUrl, 'SELECT pg_stat_statements_reset()');
  await call();
  // What comes now and then, such as a reload of the keys, is no part of a call.
  const rows = await query<StatementRow>(
    databaseUrl,
    `SELECT regexp_replace(trim(query), '\\s+', ' ', 'g') AS text, calls::float8, wal_bytes::float8
     FROM pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND calls >= ${countedCalls / 2} AND query NOT LIKE '%pg_stat_statements%'
     ORDER BY calls DESC`,
  );
  const perCall = (of: (row: StatementRow) => number) => rows.reduce((sum, row) => sum + of(row), 0) / countedCalls;
  return {
    statements: perCall((row) => row.calls),
    walBytes: perCall((row) => row.wal_bytes),
    texts: rows.map(({ text, calls }) => ({ text: text.slice(0, 90), calls: calls / countedCalls })),
  };
}
