import { expect, onTestFinished, test, vi } from 'vitest';
import { announcedSessionsMax } from '../../src/domain/limits.ts';
import { type ChangeFeed, openChangeFeed } from '../../src/storage/changes.ts';
import type { Database } from '../../src/storage/database.ts';
import { describeEachDatabase, describePostgres } from '../harness/databases.ts';

async function openFeed(database: Database, onProblem: (problem: unknown) => void = () => {}): Promise<ChangeFeed> {
  const feed = await openChangeFeed(database, { onProblem });
  onTestFinished(feed.stop);
  return feed;
}

const listener = () => vi.fn<() => void>();

describeEachDatabase('changes in one process', (suite) => {
  test('wake the subscribers of that session at once, after the publisher has gone on', async () => {
    const feed = await openFeed(suite.database);
    const [mine, mineToo, other] = [listener(), listener(), listener()];
    feed.subscribe('session/dev/a', mine);
    feed.subscribe('session/dev/a', mineToo);
    feed.subscribe('session/dev/b', other);
    feed.publish('session/dev/a');
    expect(mine).not.toHaveBeenCalled();
    await Promise.resolve();
    expect([mine, mineToo, other].map((call) => call.mock.calls.length)).toEqual([1, 1, 0]);
  });

  test('no longer reach who has left, however often that is said', async () => {
    const feed = await openFeed(suite.database);
    const [leaving, staying] = [listener(), listener()];
    const leave = feed.subscribe('session/dev/a', leaving);
    const leaveToo = feed.subscribe('session/dev/a', staying);
    leave();
    leave();
    feed.publish('session/dev/a');
    await vi.waitFor(() => expect(staying).toHaveBeenCalledTimes(1));
    leaveToo();
    const again = feed.subscribe('session/dev/a', staying);
    leaveToo();
    expect(feed.subscriberCount()).toBe(1);
    again();
    expect(leaving).not.toHaveBeenCalled();
    expect(feed.subscriberCount()).toBe(0);
  });

  test('a subscriber may leave or join while it is called, and one that throws stops nobody', async () => {
    const problems: unknown[] = [];
    const feed = await openFeed(suite.database, (problem) => problems.push(problem));
    const last = listener();
    const leave = feed.subscribe('session/dev/a', () => {
      leave();
      feed.subscribe('session/dev/a', () => {});
      throw new Error('planned');
    });
    feed.subscribe('session/dev/a', last);
    feed.publish('session/dev/a');
    await vi.waitFor(() => expect(last).toHaveBeenCalledTimes(1));
    expect(problems).toMatchObject([{ kind: 'listener threw', cause: { message: 'planned' } }]);
    expect(feed.subscriberCount()).toBe(2);
  });
});

describePostgres('changes between processes', (suite) => {
  async function openTwo() {
    const [here, there] = [await openFeed(suite.database), await openFeed(suite.openAnother())];
    return { here, there };
  }

  async function countNotifications(): Promise<() => string[]> {
    const payloads: string[] = [];
    await suite.openAnother().listen('session_changes', {
      onPayload: (payload) => payloads.push(payload),
      onGap: () => {},
    });
    return () => payloads;
  }

  test('wake the subscribers of that session there, and those here only once', async () => {
    const { here, there } = await openTwo();
    const [own, mine, other, last] = [listener(), listener(), listener(), listener()];
    here.subscribe('session/dev/a', own);
    there.subscribe('session/dev/a', mine);
    there.subscribe('session/dev/b', other);
    there.subscribe('session/dev/last', last);
    here.publish('session/dev/a');
    await vi.waitFor(() => expect(mine).toHaveBeenCalledTimes(1));
    here.publish('session/dev/last');
    await vi.waitFor(() => expect(last).toHaveBeenCalledTimes(1));
    expect([own, mine, other].map((call) => call.mock.calls.length)).toEqual([1, 1, 0]);
  });

  test('travel together when they come together', async () => {
    const notifications = await countNotifications();
    const { here, there } = await openTwo();
    const last = listener();
    there.subscribe('session/dev/499', last);
    for (let n = 0; n < 500; n += 1) here.publish(`session/dev/${n}`);
    for (let n = 0; n < 500; n += 1) here.publish(`session/dev/${n}`);
    await vi.waitFor(() => expect(last).toHaveBeenCalled());
    await vi.waitFor(() => expect(notifications()).toHaveLength(1));
    expect(notifications()[0]?.length).toBeLessThan(7_900);
  });

  test('are split when they do not fit one notification, and become "everything" beyond the bound', async () => {
    const notifications = await countNotifications();
    const { here, there } = await openTwo();
    const [last, anybody] = [listener(), listener()];
    there.subscribe('session/dev/1499', last);
    for (let n = 0; n < 1_500; n += 1) here.publish(`session/dev/${n}`);
    await vi.waitFor(() => expect(last).toHaveBeenCalledTimes(1));
    expect(notifications()).toHaveLength(3);
    expect(Math.max(...notifications().map(({ length }) => length))).toBeLessThanOrEqual(7_900);
    there.subscribe('session/prod/not-named', anybody);
    for (let n = 0; n <= announcedSessionsMax; n += 1) here.publish(`session/stg/${n}`);
    await vi.waitFor(() => expect(anybody).toHaveBeenCalledTimes(1));
    expect(notifications().slice(3)).toEqual(['*']);
  });

  test('that may have been missed wake everybody once the session is back', async () => {
    const { there } = await openTwo();
    const waiting = [listener(), listener()];
    waiting.forEach((call, index) => there.subscribe(`session/dev/${index}`, call));
    await suite.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'`,
    );
    await vi.waitFor(() => waiting.forEach((call) => expect(call).toHaveBeenCalled()));
    expect(suite.takeProblems()).toMatchObject([{ kind: 'side session lost' }, { kind: 'side session lost' }]);
  });

  test('stop with the feed', async () => {
    const { here, there } = await openTwo();
    const [silent, heard] = [listener(), listener()];
    there.subscribe('session/dev/a', silent);
    await there.stop();
    const third = await openFeed(suite.openAnother());
    third.subscribe('session/dev/a', heard);
    here.publish('session/dev/a');
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(1));
    await here.stop();
    here.publish('session/dev/a');
    expect(silent).not.toHaveBeenCalled();
  });
});
