/**
 * A page of the list in one statement. Every combination of filters has an index whose order below their values is the
 * list's: `limit` rows are read off the start of each combination of values, and merged. What an index does not begin
 * with is tested on the rows as they pass (docs/decisions/0020-list-pages.md has the plans).
 */
import type { SessionId } from '../domain/ids.ts';
import type { ListedSession, SessionStatus } from '../domain/list-page.ts';
import type { JsonObject } from '../domain/trigger-config.ts';
import type { SessionList, SessionQuery } from '../sessions/ports.ts';
import type { Sql, SqlRow, SqlValue } from './database.ts';

export const sqlSessionList = (db: Sql): SessionList => ({
  async find(query) {
    const { text, values } = pageStatement(query);
    const rows = await db.query<ListedRow>(text, values);
    return rows.slice(0, query.limit).map(listedOf);
  },
});

/** In the text, because a plan for a limit that it does not know would sort all that the filter leaves. */
const limits = [1, 21, 101] as const;

/** For tests of plans. */
export function pageStatement(query: SessionQuery): { text: string; values: readonly SqlValue[] } {
  const values: SqlValue[] = [];
  const bind = (value: SqlValue): string => `$${values.push(value)}`;
  const limit = limits.find((max) => query.limit <= max);
  if (limit === undefined) throw new RangeError(`a page of ${query.limit} rows is too large`);
  const statement: Statement = {
    query,
    bind,
    environment: bind(query.environmentId),
    order: query.direction === 'older' ? 'DESC' : 'ASC',
    limit,
  };
  const overdue = isExpiredOnly(query.filters.statuses) ? `UNION ALL (${overdueRows(statement)})` : '';
  const text = `
    WITH candidates AS (SELECT * FROM (${leadingRows(statement)}) AS led ${overdue}), page AS (
      SELECT DISTINCT created_at, id FROM candidates ORDER BY ${ordered('candidates', 'id', statement)}
    )
    SELECT s.id, s.external_id, s.type, s.task_identifier, s.tags, s.metadata, s.created_at, s.updated_at,
      g.closed_at, g.closed_reason, g.expires_at
    FROM page JOIN sessions s ON s.id = page.id JOIN gates g ON g.session_id = page.id
    ORDER BY ${ordered('page', 'id', statement)}`;
  return { text, values };
}

interface Statement {
  readonly query: SessionQuery;
  readonly bind: (value: SqlValue) => string;
  readonly environment: string;
  readonly order: 'ASC' | 'DESC';
  readonly limit: number;
}

const ordered = (table: string, id: string, { order, limit }: Statement): string =>
  `${table}.created_at ${order}, ${table}.${id} ${order} LIMIT ${limit}`;

type FilterName = 'externalId' | 'tags' | 'taskIdentifiers' | 'types' | 'statuses';

interface GivenFilter {
  readonly name: FilterName;
  /** Its condition on a row `s`. */
  readonly test: () => string;
}

/** An external id comes first: it is one row. */
function givenFilters({ query, bind }: Statement): readonly GivenFilter[] {
  const { externalId, tags, taskIdentifiers, types, statuses } = query.filters;
  const filters: (GivenFilter & { isGiven: boolean })[] = [
    { name: 'externalId', isGiven: externalId !== null, test: () => `s.external_id = ${bind(externalId)}` },
    { name: 'tags', isGiven: tags.length > 0, test: () => `s.tags && ${bind(tags)}` },
    {
      name: 'taskIdentifiers',
      isGiven: taskIdentifiers.length > 0,
      test: () => `s.task_identifier = ANY (${bind(taskIdentifiers)})`,
    },
    { name: 'types', isGiven: types.length > 0, test: () => `s.type = ANY (${bind(types)})` },
    { name: 'statuses', isGiven: statuses.length > 0, test: () => `s.state = ANY (${bind(statesOf(statuses))})` },
  ];
  return filters.filter(({ isGiven }) => isGiven);
}

const testsOf = (filters: readonly GivenFilter[], without: readonly FilterName[] = []): string[] =>
  filters.filter(({ name }) => !without.includes(name)).map(({ test }) => test());

function leadingRows(statement: Statement): string {
  const { statuses } = statement.query.filters;
  const filters = givenFilters(statement);
  const clock = isActiveWithoutExpired(statuses) ? [notOverdue] : [];
  const leads = filters[0]?.name === 'externalId' ? [] : leadsOf(statement.query.filters);
  const led = leads.map(({ name }) => name);
  const tests = [...testsOf(filters, led), ...clock];
  return leads.length === 0 ? plainRows(statement, tests) : rowsByLeads(statement, leads, tests);
}

/** A filter that an index begins with: its values are looked up one by one. */
interface Lead {
  readonly name: FilterName;
  readonly column: 'tag' | 'task_identifier' | 'type' | 'state';
  readonly values: readonly string[];
}

/** Each reads a page of rows; filters whose values would make more of them are tested on the rows instead. */
const looksMax = 150;

/** Indexes by task and type have the state below them, those by tag with and without it. */
function leadsOf({ tags, taskIdentifiers, types, statuses }: SessionQuery['filters']): readonly Lead[] {
  const states = statesOf(statuses);
  const leads: Lead[] = [];
  let looks = states.length;
  for (const lead of [
    { name: 'tags', column: 'tag', values: tags },
    { name: 'taskIdentifiers', column: 'task_identifier', values: taskIdentifiers },
    { name: 'types', column: 'type', values: types },
  ] as const satisfies readonly Lead[]) {
    const fits = looks * lead.values.length <= looksMax;
    if (lead.values.length === 0 || !fits) continue;
    leads.push(lead);
    looks *= lead.values.length;
  }
  const isByTagAlone = statuses.length === 0 && leads.every(({ name }) => name === 'tags');
  return isByTagAlone ? leads : [...leads, { name: 'statuses', column: 'state', values: states }];
}

function rowsByLeads(statement: Statement, leads: readonly Lead[], tests: readonly string[]): string {
  const { bind, environment } = statement;
  const isByTag = leads.some(({ name }) => name === 'tags');
  const [table, id] = isByTag ? ['t', 'session_id'] : ['s', 'id'];
  const wanted = leads.map(({ column, values }) => `unnest(${bind(values)}::text[]) AS wanted_${column} (value)`);
  const conditions = [
    `${table}.environment_id = ${environment}`,
    ...leads.map(({ column }) => `${table}.${column} = wanted_${column}.value`),
    ...tests,
    ...placed(table, id, statement),
  ];
  const tagged = `session_tags t${tests.length === 0 ? '' : ' JOIN sessions s ON s.id = t.session_id'}`;
  return `
    SELECT led.* FROM ${wanted.join(' CROSS JOIN ')} CROSS JOIN LATERAL (
      SELECT ${table}.created_at, ${table}.${id} AS id FROM ${isByTag ? tagged : 'sessions s'}
      WHERE ${conditions.join(' AND ')} ORDER BY ${ordered(table, id, statement)}
    ) AS led`;
}

function plainRows(statement: Statement, tests: readonly string[]): string {
  const conditions = [`s.environment_id = ${statement.environment}`, ...tests, ...placed('s', 'id', statement)];
  return `SELECT s.created_at, s.id FROM sessions s WHERE ${conditions.join(' AND ')} ORDER BY ${ordered('s', 'id', statement)}`;
}

/** Expired by the clock, while nobody has marked it: looked up by that, whatever else is asked for. */
const overdueRows = (statement: Statement): string =>
  plainRows(statement, [
    `s.state = 'open' AND s.expires_at <= statement_timestamp()`,
    ...testsOf(givenFilters(statement), ['statuses']),
  ]);

/** On which side of the cursor, and between which instants. */
function placed(table: string, id: string, { query, bind }: Statement): string[] {
  const { cursor, direction, filters } = query;
  const { createdFromMs, createdToMs } = filters;
  const beyond = `${direction === 'older' ? '<' : '>'}${cursor?.inclusive === true ? '=' : ''}`;
  return [
    ...(cursor === null
      ? []
      : [
          `(${table}.created_at, ${table}.${id}) ${beyond} (${bind(new Date(cursor.createdAtMs))}::timestamptz, ${bind(cursor.id)})`,
        ]),
    ...(createdFromMs === null ? [] : [`${table}.created_at >= ${bind(new Date(createdFromMs))}::timestamptz`]),
    ...(createdToMs === null ? [] : [`${table}.created_at <= ${bind(new Date(createdToMs))}::timestamptz`]),
  ];
}

const stateOfStatus: Readonly<Record<SessionStatus, string>> = { ACTIVE: 'open', CLOSED: 'closed', EXPIRED: 'expired' };

/** Without a filter every state is wanted, because the indexes by task and by type begin with it. */
const statesOf = (statuses: readonly SessionStatus[]): readonly string[] =>
  statuses.length === 0 ? Object.values(stateOfStatus) : statuses.map((status) => stateOfStatus[status]);

/** A session past its expiry is EXPIRED before anyone has marked it. */
const notOverdue = `(s.state <> 'open' OR s.expires_at IS NULL OR s.expires_at > statement_timestamp())`;
const isActiveWithoutExpired = (statuses: readonly SessionStatus[]) =>
  statuses.includes('ACTIVE') && !statuses.includes('EXPIRED');
const isExpiredOnly = (statuses: readonly SessionStatus[]) =>
  statuses.includes('EXPIRED') && !statuses.includes('ACTIVE');

interface ListedRow extends SqlRow {
  id: string;
  external_id: string | null;
  type: string;
  task_identifier: string;
  tags: string[];
  metadata: JsonObject | null;
  created_at: Date;
  updated_at: Date;
  closed_at: Date | null;
  closed_reason: string | null;
  expires_at: Date | null;
}

const listedOf = (row: ListedRow): ListedSession => ({
  id: row.id as SessionId,
  externalId: row.external_id,
  type: row.type,
  taskIdentifier: row.task_identifier,
  tags: row.tags,
  metadata: row.metadata,
  closedAt: row.closed_at,
  closedReason: row.closed_reason,
  expiresAt: row.expires_at,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});
