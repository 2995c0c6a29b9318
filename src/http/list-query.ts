/** The query of the list (protocol section 3.7): comma lists and repeated parameters, each problem with its path. */
import { z } from 'zod';
import { filterValuesMax, pageSizeDefault, pageSizeMax } from '../domain/limits.ts';
import {
  instantMaxMs,
  instantMinMs,
  type PageRequest,
  parseCursor,
  parsePeriod,
  type SessionFilters,
  sessionStatuses,
} from '../domain/list-page.ts';
import { fieldProblems } from './problems.ts';
import { refuse } from './refusal.ts';

export interface ListQuery {
  readonly filters: SessionFilters;
  readonly page: PageRequest;
}

/** Every text that the query gives a parameter, without empty ones; absent where there is none. */
type Texts = readonly string[];

const word = z.string().refine((value) => !value.includes('\0'), 'must not hold U+0000');

/** A parameter with one value. */
const one = <Schema extends z.ZodType>(schema: Schema) =>
  z
    .preprocess((value, context) => {
      const texts = value as Texts;
      if (texts.length === 1) return texts[0];
      context.addIssue('must be given once');
      return z.NEVER;
    }, schema)
    .optional();

/** A parameter with any of several values: a comma list, or the parameter again. */
const several = <Schema extends z.ZodType>(schema: Schema) =>
  z
    .preprocess(
      (value) => {
        const values = (value as Texts).flatMap((text) => text.split(',').map((part) => part.trim()));
        return [...new Set(values)].filter((part) => part !== '');
      },
      z.array(schema).max(filterValuesMax, `must not have more than ${filterValuesMax} values`),
    )
    .optional();

const whole = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (/^-?\d{1,16}$/.test(String(value)) ? Number(value) : value), schema);

const sizeRule = `must be a whole number from 1 to ${pageSizeMax}`;
const pageSize = whole(z.int(sizeRule).min(1, sizeRule).max(pageSizeMax, sizeRule));

const instantRule = 'must be whole milliseconds since 1970, of a moment that the database knows';
const instant = whole(z.int(instantRule).min(instantMinMs, instantRule).max(instantMaxMs, instantRule));

const cursor = z.string().transform((text, context) => {
  const parsed = parseCursor(text);
  if (parsed === null) context.addIssue('Invalid cursor');
  return parsed ?? z.NEVER;
});

const period = z.string().transform((text, context) => {
  const parsed = parsePeriod(text);
  if (parsed === null) context.addIssue('must be a duration such as 7d, 24h or 1h30m');
  return parsed ?? z.NEVER;
});

export const listQuery = z.object({
  'page[size]': one(pageSize).meta({ description: 'Rows on a page.', default: pageSizeDefault }),
  'page[after]': one(cursor).meta({ description: '`pagination.next` of a page: the rows older than it.' }),
  'page[before]': one(cursor).meta({
    description: '`pagination.previous` of a page: the rows newer than it. Not together with `page[after]`.',
  }),
  'filter[type]': several(word).meta({ description: 'Any of these types.' }),
  'filter[tags]': several(word).meta({ description: 'Any of these tags.' }),
  'filter[taskIdentifier]': several(word).meta({ description: 'Any of these tasks.' }),
  'filter[externalId]': one(word).meta({ description: 'Exactly this external id; a comma in it is part of it.' }),
  'filter[status]': several(z.enum(sessionStatuses, `must be one or more of ${sessionStatuses.join(', ')}`)).meta({
    description: 'Any of these. A session that was closed is `CLOSED`, also past its expiry.',
  }),
  'filter[createdAt][period]': one(period).meta({
    description: 'Created within this time until now.',
    examples: ['7d', '24h', '1h30m'],
  }),
  'filter[createdAt][from]': one(instant).meta({ description: 'Unix milliseconds, inclusive.' }),
  'filter[createdAt][to]': one(instant).meta({ description: 'Unix milliseconds, inclusive.' }),
});

/** @param nowMs a period counts back from it */
export function parseListQuery(querystring: string, nowMs: number): ListQuery {
  const parameters = new URLSearchParams(querystring);
  const texts = Object.keys(listQuery.shape)
    .map((name) => [name, parameters.getAll(name).filter((text) => text !== '')] as const)
    .filter(([, values]) => values.length > 0);
  const given = new Set(texts.map(([name]) => name));
  const parsed = listQuery.safeParse(Object.fromEntries(texts));
  const problems = parsed.success ? [] : problemsIn(parsed.error);
  if (given.has('page[after]') && given.has('page[before]')) {
    problems.push(problem('page[before]', 'Cannot pass both page[after] and page[before] on the same request'));
  }
  if (!parsed.success || problems.length > 0) return refuse({ code: 'invalid_query', details: problems });
  return { page: pageOf(parsed.data), filters: filtersOf(parsed.data, nowMs) };
}

const problem = (name: string, message: string) => ({ code: 'custom', message, path: [name] });

/** One of each kind: a list may have the same fault in every value. */
function problemsIn(error: z.ZodError) {
  const told = fieldProblems(error).map(({ path, message }) => problem(path[0] ?? '', message));
  return [...new Map(told.map((found) => [`${found.path[0]} ${found.message}`, found])).values()];
}

type ParsedQuery = z.output<typeof listQuery>;

function pageOf(query: ParsedQuery): PageRequest {
  const { 'page[size]': size = pageSizeDefault, 'page[after]': after, 'page[before]': before } = query;
  return { size, cursor: before ?? after ?? null, direction: before === undefined ? 'older' : 'newer' };
}

function filtersOf(query: ParsedQuery, nowMs: number): SessionFilters {
  const { 'filter[createdAt][period]': periodMs, 'filter[createdAt][from]': fromMs } = query;
  const starts = [fromMs, periodMs === undefined ? undefined : nowMs - periodMs].filter((start) => start !== undefined);
  return {
    types: query['filter[type]'] ?? [],
    tags: query['filter[tags]'] ?? [],
    taskIdentifiers: query['filter[taskIdentifier]'] ?? [],
    externalId: query['filter[externalId]'] ?? null,
    statuses: query['filter[status]'] ?? [],
    createdFromMs: starts.length === 0 ? null : Math.max(...starts),
    createdToMs: query['filter[createdAt][to]'] ?? null,
  };
}
