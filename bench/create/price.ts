/** What one create costs, counted rather than timed, and whether that depends on how many sessions there are. */
import { openPostgres } from '../../src/storage/postgres.ts';
import { connectTemporal } from '../../src/temporal/connect.ts';
import type { ServerProcess } from '../server-process.ts';
import { median } from '../statistics.ts';
import type { CreateClient } from './create-client.ts';

export interface Price {
  readonly workflowTasks: number;
  readonly historyEvents: number;
  readonly historyBytes: number;
  /** Each is one round trip. */
  readonly databaseStatements: number;
  readonly databaseTransactions: number;
}

interface Bill {
  readonly server: ServerProcess;
  readonly client: CreateClient;
  readonly temporalAddress: string;
  readonly databaseUrl: string;
}

const countedCreates = 20;

export async function priceOfCreate(bill: Bill): Promise<Price> {
  return { ...(await historyOfCreate(bill)), ...(await statementsOfCreate(bill)) };
}

async function historyOfCreate({ server, client, temporalAddress }: Bill) {
  const { namespace } = server;
  const target = { address: temporalAddress, namespace, apiKey: null, tls: false, tlsCertFile: null, tlsKeyFile: null };
  const temporal = await connectTemporal(target, { log: () => undefined });
  try {
    const { externalId } = await client.createOne();
    const handle = temporal.client.workflow.getHandle(`session/dev/${externalId}`);
    // The answer comes before the workflow task has completed.
    for (let tries = 0; tries < 100; tries += 1) {
      const { historyLength, raw } = await handle.describe();
      const isAtRest = raw.pendingWorkflowTask === null || raw.pendingWorkflowTask === undefined;
      if (isAtRest && historyLength > 3) break;
    }
    const { events = [] } = await handle.fetchHistory();
    const { historySize } = await handle.describe();
    const completed = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
    return {
      workflowTasks: completed.length,
      historyEvents: events?.length ?? 0,
      historyBytes: historySize ?? 0,
    };
  } finally {
    await temporal.connection.close();
  }
}

async function statementsOfCreate({ client, databaseUrl }: Bill) {
  const database = openPostgres({ url: databaseUrl, poolSize: 1, onProblem: () => undefined });
  try {
    await database.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
    await database.query('SELECT pg_stat_statements_reset()');
    for (let made = 0; made < countedCreates; made += 1) await client.createOne();
    // Keys are reloaded and readiness is asked about now and then: neither belongs to a create.
    const [counted] = await database.query<{ statements: number; transactions: number }>(
      `SELECT coalesce(sum(calls) FILTER (WHERE query ~ 'sessions|gates|runs'), 0)::int AS statements,
         coalesce(sum(calls) FILTER (WHERE query ~ '^\\s*(WITH|INSERT|COMMIT)'), 0)::int AS transactions
       FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database()`,
    );
    return {
      databaseStatements: (counted?.statements ?? 0) / countedCreates,
      databaseTransactions: (counted?.transactions ?? 0) / countedCreates,
    };
  } finally {
    await database.close();
  }
}

export interface Flatness {
  readonly sessions: number;
  readonly createP50Ms: number;
  readonly cachedP50Ms: number;
}

const fillSql = [
  `INSERT INTO sessions (id, environment_id, workflow_id, external_id, type, task_identifier, trigger_config, tags, request_key)
   SELECT 'session_fill' || lpad(n::text, 21, '0'), e.id, 'session/dev/fill_' || n, 'fill_' || n, 'chat.agent', 'my-chat',
     '{"basePayload":{}}', ARRAY['fill'], 'fill_' || n
   FROM generate_series(1, $1::int) n, environments e WHERE e.name = 'dev'`,
  `INSERT INTO gates (session_id, owner, owner_started_at, live)
   SELECT id, 'fill', clock_timestamp(), false FROM sessions WHERE id LIKE 'session\\_fill%'`,
  `INSERT INTO outs (session_id) SELECT id FROM sessions WHERE id LIKE 'session\\_fill%'`,
  `INSERT INTO runs (id, session_id, no, environment_id, status, reason, task_identifier, payload, options, finished_at)
   SELECT 'run_fill' || right(id, 21), id, 1, environment_id, 'COMPLETED', 'initial', task_identifier, '{}', '{"tags":[]}', clock_timestamp()
   FROM sessions WHERE id LIKE 'session\\_fill%'`,
];

/** Before and after so many more sessions, on one server. */
export async function flatness(bill: Bill, sessions: number): Promise<readonly Flatness[]> {
  const before = { sessions: 1, ...(await medians(bill.client)) };
  const database = openPostgres({ url: bill.databaseUrl, poolSize: 1, onProblem: () => undefined });
  try {
    await database.changeSchema(async (sql) => {
      for (const [index, text] of fillSql.entries()) await sql.query(text, index === 0 ? [sessions] : []);
    });
    await database.query('ANALYZE');
  } finally {
    await database.close();
  }
  return [before, { sessions, ...(await medians(bill.client)) }];
}

async function medians(client: CreateClient) {
  const load = { calls: 100, inFlight: 1 };
  await client.create({ calls: 20, inFlight: 1 });
  const made = await client.create(load);
  const cached = await client.createAgain(load);
  return { createP50Ms: median(made.latenciesMs), cachedP50Ms: median(cached.latenciesMs) };
}
