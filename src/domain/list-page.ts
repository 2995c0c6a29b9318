/**
 * Pages of the list (protocol section 3.7). A page is a place in one order, newest first with the id as tie
 * break, and a direction away from it: so rows that come or go elsewhere neither repeat nor hide a row.
 */
import type { SessionId } from './ids.ts';
import { parseSessionId, sessionIdPrefix } from './ids.ts';
import type { Session } from './session.ts';

export const sessionStatuses = ['ACTIVE', 'CLOSED', 'EXPIRED'] as const;
export type SessionStatus = (typeof sessionStatuses)[number];

/** All that are given must hold; any value of one is enough. Empty and null filter nothing. */
export interface SessionFilters {
  readonly types: readonly string[];
  readonly tags: readonly string[];
  readonly taskIdentifiers: readonly string[];
  readonly externalId: string | null;
  readonly statuses: readonly SessionStatus[];
  /** Milliseconds since 1970, both inclusive. */
  readonly createdFromMs: number | null;
  readonly createdToMs: number | null;
}

export interface PageCursor {
  readonly createdAtMs: number;
  readonly id: SessionId;
  /** Whether the row at the cursor itself is on the page: so only where a page was empty. */
  readonly inclusive: boolean;
}

export type PageDirection = 'older' | 'newer';

export const oppositeOf = (direction: PageDirection): PageDirection => (direction === 'older' ? 'newer' : 'older');

export interface PageRequest {
  readonly size: number;
  readonly direction: PageDirection;
  /** Null: the newest rows. */
  readonly cursor: PageCursor | null;
}

/** A row of the list: without `triggerConfig` and the current run (seed page). */
export type ListedSession = Pick<
  Session,
  | 'id'
  | 'externalId'
  | 'type'
  | 'taskIdentifier'
  | 'tags'
  | 'metadata'
  | 'closedAt'
  | 'closedReason'
  | 'expiresAt'
  | 'createdAt'
  | 'updatedAt'
>;

export interface SessionPage {
  /** Newest first, whichever way the page was reached. */
  readonly sessions: readonly ListedSession[];
  /** Towards older rows; null when there are none. */
  readonly next: PageCursor | null;
  readonly previous: PageCursor | null;
}

export const cursorAt = (session: Pick<Session, 'id' | 'createdAt'>): PageCursor => ({
  createdAtMs: session.createdAt.getTime(),
  id: session.id,
  inclusive: false,
});

/** The same place seen from the other side: what an empty page is surrounded by. */
export const turned = (cursor: PageCursor): PageCursor => ({ ...cursor, inclusive: !cursor.inclusive });

/** Greatest instant of a `Date`, and so of a cursor. */
export const instantMaxMs = 8.64e15;
/** Least instant of a `timestamptz`: the first day of the year 4713 before Christ. */
export const instantMinMs = -210_866_803_200_000;

/** Opaque to callers. It holds nothing but a place in the order, so none needs to be forged. */
export const cursorText = ({ createdAtMs, id, inclusive }: PageCursor): string =>
  `${inclusive ? 'i' : 'x'}${createdAtMs.toString(36)}.${id.slice(sessionIdPrefix.length)}`;

export function parseCursor(text: string): PageCursor | null {
  const [, kind, time = '', body = ''] = /^([ix])([0-9a-z]{1,11})\.([0-9a-z]{25})$/.exec(text) ?? [];
  const id = parseSessionId(`${sessionIdPrefix}${body}`);
  const createdAtMs = Number.parseInt(time, 36);
  return id === null || !(createdAtMs <= instantMaxMs) ? null : { createdAtMs, id, inclusive: kind === 'i' };
}

const unitMs = {
  millisecond: 1,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
} as const;

const units: readonly (readonly [RegExp, number])[] = [
  [/^(?:ms|msecs?|milliseconds?)$/, unitMs.millisecond],
  [/^(?:s|secs?|seconds?)$/, unitMs.second],
  [/^(?:m|mins?|minutes?)$/, unitMs.minute],
  [/^(?:h|hrs?|hours?)$/, unitMs.hour],
  [/^(?:d|days?)$/, unitMs.day],
  [/^(?:w|wks?|weeks?)$/, unitMs.week],
];

/** One hundred years: beyond it a period filters nothing. */
const periodMaxMs = 100 * 365.25 * unitMs.day;

/** Milliseconds of `7d`, `1h30m` or `2 days`; null when the text is no period, or is longer than a hundred years. */
export function parsePeriod(text: string): number | null {
  const periods = text.trim().toLowerCase();
  if (periods.length > 64 || !/^(?:\d{1,15}(?:\.\d{1,6})? ?[a-z]{1,12} ?)+$/.test(periods)) return null;
  let totalMs = 0;
  for (const [, count = '', unit = ''] of periods.matchAll(/([\d.]+) ?([a-z]+)/g)) {
    const found = units.find(([pattern]) => pattern.test(unit));
    if (found === undefined) return null;
    totalMs += Number(count) * found[1];
  }
  return totalMs <= periodMaxMs ? Math.round(totalMs) : null;
}
