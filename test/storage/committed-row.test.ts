/** The row that a create hands to whoever waits for it, so that it need not be read again. */
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { Session } from '../../src/domain/session.ts';
import { openChangeFeed } from '../../src/storage/changes.ts';
import { sqlSessionStore } from '../../src/storage/session-store.ts';
import { describeEachDatabase, describePostgres } from '../harness/databases.ts';
import { type Lifecycle, lifecycleOf } from './lifecycle.ts';

describeEachDatabase('the committed row', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  async function commit(changes: Parameters<Lifecycle['createOrder']>[0] = {}) {
    const order = life.createOrder(changes);
    const committed: Session[] = [];
    await life.create(order, (session) => committed.push(session));
    return { order, committed, read: await sqlSessionStore(suite.database).findByWorkflowId(order.workflowId) };
  }

  test('is what a read of it shows, to the last field', async () => {
    const full = {
      externalId: `räksmörgås 🦐 ${suite.kind}`,
      triggerConfig: { basePayload: { nested: { '\u0000': [1, null, 1e21, -0.5, '🦐'] } }, tags: ['a'], ttl: '1h' },
      tags: ['plain', 'with "quotes", {braces} and \\', ''],
      metadata: { __proto__: null, empty: {}, list: [] },
      expiresAtMs: Date.now() + 3_600_123,
    };
    for (const changes of [{}, { externalId: null }, full]) {
      const { committed, read } = await commit(changes);
      const { readAt, ...session } = committed[0] as Session;
      expect(committed).toHaveLength(1);
      expect(read).toEqual({ ...session, readAt: expect.any(Date) });
      expect(read?.readAt.getTime()).toBeGreaterThanOrEqual(readAt.getTime());
    }
  });

  test('is handed once: a repeated order found the row and has not made it', async () => {
    const { order } = await commit();
    const again = vi.fn<(session: Session) => void>();
    await life.create(order, again);
    expect(again).not.toHaveBeenCalled();
  });
});

describePostgres('the committed row and other processes', (suite) => {
  test('a row that was handed to somebody here is not announced, another one is', async () => {
    const life = await lifecycleOf(suite.database);
    const order = life.createOrder();
    let committed: Session | undefined;
    await life.create(order, (session) => {
      committed = session;
    });
    const [here, there] = [suite.database, suite.openAnother()];
    const [ours, theirs] = [
      await openChangeFeed(here, { onProblem: () => {} }),
      await openChangeFeed(there, { onProblem: () => {} }),
    ];
    onTestFinished(async () => {
      await Promise.all([ours.stop(), theirs.stop()]);
    });
    const [mine, other, last] = [vi.fn<() => void>(), vi.fn<() => void>(), vi.fn<() => void>()];
    const leave = ours.subscribe(order.workflowId, mine);
    theirs.subscribe(order.workflowId, other);
    theirs.subscribe('session/dev/last', last);
    ours.publish(order.workflowId, committed);
    ours.publish('session/dev/last');
    await vi.waitFor(() => expect(last).toHaveBeenCalledTimes(1));
    expect(mine).toHaveBeenCalledExactlyOnceWith(committed);
    expect(other).not.toHaveBeenCalled();
    leave();
    ours.publish(order.workflowId, committed);
    await vi.waitFor(() => expect(other).toHaveBeenCalledTimes(1));
  });
});
