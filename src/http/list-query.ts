/** The query of the list (protocol section 3.7): comma lists and repeated parameters, each problem with its path. */
import type { FieldProblem } from '../domain/failure.ts';
import { filterValuesMax, pageSizeDefault, pageSizeMax } from '../domain/limits.ts';
import {
  instantMaxMs,
  type PageRequest,
  parseCursor,
  parsePeriod,
  type SessionFilters,
  type SessionStatus,
  sessionStatuses,
} from '../domain/list-page.ts';
import { refuse } from './refusal.ts';

export interface ListQuery {
  readonly filters: SessionFilters;
  readonly page: PageRequest;
}

/** @param nowMs a period counts back from it */
export function parseListQuery(querystring: string, nowMs: number): ListQuery {
  const reading = readQuery(new URLSearchParams(querystring));
  const query = { page: readPage(reading), filters: readFilters(reading, nowMs) };
  if (reading.problems.length > 0) return refuse({ code: 'invalid_query', details: reading.problems });
  return query;
}

interface Reading {
  readonly problems: FieldProblem[];
  /** The one value of a parameter; null when it is absent or empty. */
  single(name: string): string | null;
  /** Every value of a parameter, split at commas, trimmed, without empty and repeated ones. */
  several(name: string): readonly string[];
  problem(name: string, message: string): null;
}

function readQuery(parameters: URLSearchParams): Reading {
  const problems: FieldProblem[] = [];
  const problem = (name: string, message: string): null => {
    problems.push({ code: 'custom', message, path: [name] });
    return null;
  };
  const textsOf = (name: string): readonly string[] => {
    const texts = parameters.getAll(name).filter((text) => text !== '');
    if (!texts.some((text) => text.includes('\0'))) return texts;
    problem(name, 'must not hold U+0000');
    return [];
  };
  return {
    problems,
    problem,
    single(name) {
      const texts = textsOf(name);
      return texts.length > 1 ? problem(name, 'must be given once') : (texts[0] ?? null);
    },
    several(name) {
      const values = textsOf(name).flatMap((text) => text.split(',').map((value) => value.trim()));
      const distinct = [...new Set(values)].filter((value) => value !== '');
      if (distinct.length <= filterValuesMax) return distinct;
      problem(name, `must not have more than ${filterValuesMax} values`);
      return [];
    },
  };
}

function readPage(reading: Reading): PageRequest {
  const size = readPageSize(reading);
  const [after, before] = [reading.single('page[after]'), reading.single('page[before]')];
  if (after !== null && before !== null) {
    reading.problem('page[before]', 'Cannot pass both page[after] and page[before] on the same request');
  }
  const name = before === null ? 'page[after]' : 'page[before]';
  const text = before ?? after;
  const cursor = text === null ? null : (parseCursor(text) ?? reading.problem(name, 'Invalid cursor'));
  return { size, cursor, direction: before === null ? 'older' : 'newer' };
}

function readPageSize(reading: Reading): number {
  const text = reading.single('page[size]');
  if (text === null) return pageSizeDefault;
  const size = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (size >= 1 && size <= pageSizeMax) return size;
  reading.problem('page[size]', `must be a whole number from 1 to ${pageSizeMax}`);
  return pageSizeDefault;
}

function readFilters(reading: Reading, nowMs: number): SessionFilters {
  const fromMs = readInstant(reading, 'filter[createdAt][from]');
  const sinceMs = readPeriodStart(reading, nowMs);
  return {
    types: reading.several('filter[type]'),
    tags: reading.several('filter[tags]'),
    taskIdentifiers: reading.several('filter[taskIdentifier]'),
    externalId: reading.single('filter[externalId]'),
    statuses: readStatuses(reading),
    createdFromMs: fromMs === null || sinceMs === null ? (fromMs ?? sinceMs) : Math.max(fromMs, sinceMs),
    createdToMs: readInstant(reading, 'filter[createdAt][to]'),
  };
}

function readStatuses(reading: Reading): readonly SessionStatus[] {
  const name = 'filter[status]';
  return reading.several(name).flatMap((value) => {
    const status = sessionStatuses.find((known) => known === value);
    if (status !== undefined) return [status];
    reading.problem(name, `must be one or more of ${sessionStatuses.join(', ')}`);
    return [];
  });
}

function readInstant(reading: Reading, name: string): number | null {
  const text = reading.single(name);
  if (text === null) return null;
  const instant = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Math.abs(instant) <= instantMaxMs) return instant;
  return reading.problem(name, 'must be whole milliseconds since 1970');
}

function readPeriodStart(reading: Reading, nowMs: number): number | null {
  const name = 'filter[createdAt][period]';
  const text = reading.single(name);
  if (text === null) return null;
  const period = parsePeriod(text);
  return period === null ? reading.problem(name, 'must be a duration such as 7d, 24h or 1h30m') : nowMs - period;
}
