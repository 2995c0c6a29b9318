/** Pages of the list on both databases, against a filter and a sort of all rows in memory. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { EnvironmentId } from '../../src/domain/ids.ts';
import { cursorAt, type ListedSession, type SessionFilters, type SessionStatus } from '../../src/domain/list-page.ts';
import { listSessions } from '../../src/sessions/list-sessions.ts';
import type { SessionList } from '../../src/sessions/ports.ts';
import { sqlSessionList } from '../../src/storage/list-sessions.ts';
import { sqlSessionStore } from '../../src/storage/session-store.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import { type Lifecycle, lifecycleOf } from './lifecycle.ts';

interface Planted {
  readonly id: string;
  readonly externalId: string;
  readonly type: string;
  readonly task: string;
  readonly tags: readonly string[];
  readonly status: SessionStatus;
  readonly createdAtMs: number;
}

const startMs = Date.parse('2026-01-01T00:00:00Z');
const everything: SessionFilters = {
  types: [],
  tags: [],
  taskIdentifiers: [],
  externalId: null,
  statuses: [],
  createdFromMs: null,
  createdToMs: null,
};

describeEachDatabase('pages of sessions', (suite) => {
  let life: Lifecycle;
  let list: SessionList;
  let environmentId: EnvironmentId;
  const planted: Planted[] = [];

  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
    list = sqlSessionList(suite.database);
    environmentId = life.createOrder().environment.id;
    for (let index = 0; index < 60; index += 1) planted.push(await plant(index));
    planted.sort((one, other) => other.createdAtMs - one.createdAtMs || (one.id < other.id ? 1 : -1));
  });

  /** Three of a moment, so that the id decides; of every status, and of expiries that nobody has marked. */
  async function plant(index: number): Promise<Planted> {
    const type = `type-${index % 2}`;
    const task = `task-${index % 3}`;
    const tags = [`even-${index % 2}`, `fifth-${index % 5}`, `fifth-${index % 5}`].slice(0, index % 4);
    const expiresAtMs = index % 4 === 1 ? Date.now() + 1_000_000_000 : null;
    const { own, order } = await life.open({ type, taskIdentifier: task, tags, expiresAtMs });
    const createdAtMs = startMs + Math.floor(index / 3);
    await suite.database.query('UPDATE sessions SET created_at = $2 WHERE id = $1', [
      own.sessionId,
      new Date(createdAtMs),
    ]);
    await suite.database.query('UPDATE session_tags SET created_at = $2 WHERE session_id = $1', [
      own.sessionId,
      new Date(createdAtMs),
    ]);
    const fate = index % 7;
    if (fate === 1 || fate === 2) {
      await suite.database.query(
        `UPDATE gates SET expires_at = clock_timestamp() - interval '1 ms' WHERE session_id = $1`,
        [own.sessionId],
      );
    }
    if (fate === 2) await life.expire(own);
    if (fate === 3) await life.close({ ...own, reason: 'done', callingRunId: null });
    const status = fate === 3 ? 'CLOSED' : fate === 1 || fate === 2 ? 'EXPIRED' : 'ACTIVE';
    const externalId = order.session.externalId ?? '';
    return { id: own.sessionId, externalId, type, task, tags, status, createdAtMs };
  }

  const anyOf = (wanted: readonly string[], has: readonly string[]) =>
    wanted.length === 0 || has.some((value) => wanted.includes(value));

  const expected = (filters: SessionFilters): string[] =>
    planted
      .filter(
        (row) =>
          anyOf(filters.types, [row.type]) &&
          anyOf(filters.taskIdentifiers, [row.task]) &&
          anyOf(filters.tags, row.tags) &&
          anyOf(filters.statuses, [row.status]) &&
          (filters.externalId === null || filters.externalId === row.externalId) &&
          (filters.createdFromMs === null || row.createdAtMs >= filters.createdFromMs) &&
          (filters.createdToMs === null || row.createdAtMs <= filters.createdToMs),
      )
      .map(({ id }) => id);

  /** All pages from the newest to the oldest, then back; both ways see the same pages' rows. */
  async function walk(filters: SessionFilters, size: number) {
    const forth: ListedSession[][] = [];
    let page = await listSessions(
      { list },
      { environmentId, filters, page: { size, direction: 'older', cursor: null } },
    );
    expect(page.previous).toBeNull();
    forth.push([...page.sessions]);
    while (page.next !== null) {
      page = await listSessions(
        { list },
        { environmentId, filters, page: { size, direction: 'older', cursor: page.next } },
      );
      expect(page.previous).not.toBeNull();
      expect(page.sessions.length).toBeGreaterThan(0);
      forth.push([...page.sessions]);
    }
    const back: ListedSession[][] = [[...page.sessions]];
    while (page.previous !== null) {
      page = await listSessions(
        { list },
        { environmentId, filters, page: { size, direction: 'newer', cursor: page.previous } },
      );
      expect(page.next).not.toBeNull();
      expect(page.sessions.length).toBeGreaterThan(0);
      back.unshift([...page.sessions]);
    }
    return { forth, back: back.flat().map(({ id }) => id) };
  }

  const values = (prefix: string, count: number, max: number) =>
    fc.uniqueArray(fc.constantFrom(...Array.from({ length: count }, (_, index) => `${prefix}-${index}`)), {
      maxLength: max,
    });

  test('any filters in any page size: every row once, in order, full pages, the same back as forth', async () => {
    const moment = fc.option(fc.integer({ min: startMs - 2, max: startMs + 22 }), { freq: 2 });
    const filters = fc.record({
      types: values('type', 3, 2),
      taskIdentifiers: values('task', 4, 2),
      tags: fc.oneof(values('even', 2, 2), values('fifth', 6, 3)),
      statuses: fc.uniqueArray(fc.constantFrom<SessionStatus>('ACTIVE', 'CLOSED', 'EXPIRED'), { maxLength: 3 }),
      externalId: fc.option(fc.constantFrom(...planted.map(({ externalId }) => externalId), 'nobody'), { freq: 9 }),
      createdFromMs: moment,
      createdToMs: moment,
    });
    await fc.assert(
      fc.asyncProperty(filters, fc.constantFrom(1, 2, 7, 20, 100), async (wanted, size) => {
        const { forth, back } = await walk(wanted, size);
        const ids = forth.flat().map(({ id }) => id);
        expect(ids).toEqual(expected(wanted));
        expect(back).toEqual(ids);
        for (const page of forth.slice(0, -1)) expect(page).toHaveLength(size);
      }),
      { numRuns: suite.kind === 'postgres' ? 150 : 60 },
    );
  }, 60_000);

  test.each<SessionStatus[]>([['ACTIVE'], ['CLOSED'], ['EXPIRED'], ['ACTIVE', 'CLOSED'], ['EXPIRED', 'CLOSED']])(
    'of status %s %s: pages are full',
    async (...statuses) => {
      const { forth } = await walk({ ...everything, statuses }, 4);
      expect(forth.flat().map(({ id }) => id)).toEqual(expected({ ...everything, statuses }));
    },
  );

  test('a cursor whose row has left the filter still knows what is on both sides', async () => {
    const filters = { ...everything, taskIdentifiers: ['fleeting'] };
    const { own } = await life.open({ taskIdentifier: 'fleeting', tags: ['only'] });
    const [row] = await list.find({ environmentId, filters, direction: 'older', cursor: null, limit: 1 });
    const cursor = cursorAt(row ?? { id: own.sessionId, createdAt: new Date() });
    const after = await listSessions(
      { list },
      { environmentId, filters, page: { size: 1, direction: 'older', cursor } },
    );
    expect(after).toMatchObject({ sessions: [], next: null });
    const back = { size: 1, direction: 'newer', cursor: after.previous } as const;
    expect((await listSessions({ list }, { environmentId, filters, page: back })).sessions).toMatchObject([
      { id: own.sessionId },
    ]);
    const tagged = { ...filters, tags: ['only'] };
    await sqlSessionStore(suite.database).update(own.sessionId, { tags: [] });
    const gone = await listSessions(
      { list },
      { environmentId, filters: tagged, page: { size: 1, direction: 'older', cursor } },
    );
    expect(gone).toEqual({ sessions: [], next: null, previous: null });
  });

  test('I8: nothing of another environment is listed', async () => {
    const none = { environmentId: 'env_none' as EnvironmentId, filters: everything };
    const page = { size: 100, direction: 'older', cursor: null } as const;
    expect((await listSessions({ list }, { ...none, page })).sessions).toEqual([]);
  });

  describe('the copies that the list filters by', () => {
    test('agree with gates and tags after any order of labels, closes and expiries', async () => {
      const store = sqlSessionStore(suite.database);
      const { own } = await life.open({ tags: ['a', 'b', 'b'], expiresAtMs: Date.now() + 1_000_000 });
      await store.update(own.sessionId, { tags: ['b', 'c'] });
      await life.close({ ...own, reason: null, callingRunId: null });
      await store.update(own.sessionId, { tags: ['b', 'c', 'd', 'd'] });
      const wrong = await suite.database.query(`
        SELECT s.id FROM sessions s JOIN gates g ON g.session_id = s.id
        WHERE s.expires_at IS DISTINCT FROM g.expires_at
          OR s.state <> CASE WHEN g.closed_at IS NOT NULL THEN 'closed' WHEN g.expired_at IS NOT NULL THEN 'expired' ELSE 'open' END
          OR (SELECT coalesce(array_agg(DISTINCT tag ORDER BY tag), '{}') FROM unnest(s.tags) tag)
            IS DISTINCT FROM (SELECT coalesce(array_agg(tag ORDER BY tag), '{}') FROM session_tags t
              WHERE t.session_id = s.id AND t.environment_id = s.environment_id AND t.created_at = s.created_at)`);
      expect(wrong).toEqual([]);
    });
  });
});
