/** GET /api/v1/sessions: one page, and whether there is anything on either side of it. */
import type { EnvironmentId } from '../domain/ids.ts';
import {
  cursorAt,
  oppositeOf,
  type PageCursor,
  type PageRequest,
  type SessionFilters,
  type SessionPage,
  turned,
} from '../domain/list-page.ts';
import type { SessionList } from './ports.ts';

export interface ListSessionsOrder {
  readonly environmentId: EnvironmentId;
  readonly filters: SessionFilters;
  readonly page: PageRequest;
}

export async function listSessions(
  deps: { readonly list: SessionList },
  { environmentId, filters, page }: ListSessionsOrder,
): Promise<SessionPage> {
  const { size, direction, cursor } = page;
  // One more than asked tells whether there are more that way.
  const found = await deps.list.find({ environmentId, filters, direction, cursor, limit: size + 1 });
  const nearestFirst = found.slice(0, size);
  const sessions = direction === 'older' ? nearestFirst : nearestFirst.toReversed();
  const ahead = found.length > size ? cursorAtOrNull(nearestFirst.at(-1)) : null;
  const behind = await lookBehind();
  return direction === 'older'
    ? { sessions, next: ahead, previous: behind }
    : { sessions, next: behind, previous: ahead };

  /** A row where the cursor came from may be gone from the filter, so it is looked for and not assumed. */
  async function lookBehind(): Promise<PageCursor | null> {
    // The newest page has nothing before it.
    if (cursor === null) return null;
    const edge = cursorAtOrNull(nearestFirst[0]) ?? turned(cursor);
    const query = { environmentId, filters, direction: oppositeOf(direction), cursor: edge, limit: 1 };
    return (await deps.list.find(query)).length === 0 ? null : edge;
  }
}

const cursorAtOrNull = (row: Parameters<typeof cursorAt>[0] | undefined): PageCursor | null =>
  row === undefined ? null : cursorAt(row);
