/** Snapshots on both databases: what is stored is read, and only the attempt that serves the session stores. */
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { snapshotBytesMax } from '../../src/domain/limits.ts';
import type { Snapshot, SnapshotStore } from '../../src/sessions/ports.ts';
import { type ObjectStore, sqlSnapshotStore } from '../../src/storage/snapshot-store.ts';
import { claimRun } from '../../src/storage/transitions/claim.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import { type Lifecycle, lifecycleOf, outcome } from './lifecycle.ts';

const snapshotOf = (text: string): Snapshot => ({ contentType: 'text/x-test', bytes: Buffer.from(text) });
const textOf = (snapshot: Snapshot | null) => (snapshot === null ? null : Buffer.from(snapshot.bytes).toString());

/** A bucket in memory: the order of its calls is what matters here; a real one is in `s3-objects.test.ts`. */
function bucket() {
  const objects = new Map<string, Uint8Array>();
  const store: ObjectStore = {
    put: async (name, { bytes }) => void objects.set(name, bytes),
    get: async (name) => objects.get(name) ?? null,
    remove: async (name) => void objects.delete(name),
  };
  return { objects, store };
}

describeEachDatabase('snapshots', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });

  const claim = (runId: Awaited<ReturnType<Lifecycle['open']>>['runId'], attempt: number) =>
    claimRun(suite.database, { environmentId: life.createOrder().environment.id, runId, attempt });

  const kinds: [string, () => { store: SnapshotStore; objects: Map<string, Uint8Array> | null }][] = [
    [
      'in the database',
      () => ({ store: sqlSnapshotStore(suite.database, { objects: null, onLeftOver: fail }), objects: null }),
    ],
    [
      'in an object store',
      () => {
        const { objects, store } = bucket();
        return { store: sqlSnapshotStore(suite.database, { objects: store, onLeftOver: fail }), objects };
      },
    ],
  ];

  describe.each(kinds)('%s', (_, make) => {
    test('there is none before the first, then always the last', async () => {
      const { store, objects } = make();
      const { own } = await life.open();
      expect(await store.read(own.sessionId)).toBeNull();
      for (const text of ['one', '', 'three']) {
        expect(await store.write(own.sessionId, snapshotOf(text), null)).toBe('stored');
        expect(await store.read(own.sessionId)).toMatchObject({ contentType: 'text/x-test' });
        expect(textOf(await store.read(own.sessionId))).toBe(text);
      }
      if (objects !== null) expect(objects.size).toBe(1);
    });

    test('V14: an attempt stores while it serves the session, and never again afterwards', async () => {
      const { store, objects } = make();
      const { own, runId } = await life.open();
      const first = { runNumber: 1, attempt: 1 };
      expect(await store.write(own.sessionId, snapshotOf('before its claim'), first)).toBe('refused');
      await claim(runId, 1);
      expect(await store.write(own.sessionId, snapshotOf('first'), first)).toBe('stored');
      await claim(runId, 2);
      expect(await store.write(own.sessionId, snapshotOf('zombie'), first)).toBe('refused');
      const second = { runNumber: 1, attempt: 2 };
      expect(await store.write(own.sessionId, snapshotOf('second'), second)).toBe('stored');
      await life.endRun({ ...own, runNumber: 1, outcome: outcome('COMPLETED') });
      expect(await store.write(own.sessionId, snapshotOf('after the end'), second)).toBe('refused');
      expect(textOf(await store.read(own.sessionId))).toBe('second');
      expect(await store.write(own.sessionId, snapshotOf('of a server'), null)).toBe('stored');
      if (objects !== null) expect([...objects.values()].map(String)).toHaveLength(1);
    });

    test('of the largest size is stored and read back byte by byte', async () => {
      const { store } = make();
      const { own } = await life.open();
      const bytes = randomBytes(snapshotBytesMax);
      await store.write(own.sessionId, { contentType: 'a/b', bytes }, null);
      const read = await store.read(own.sessionId);
      expect(Buffer.compare(Buffer.from(read?.bytes ?? []), bytes)).toBe(0);
    });

    test('of a session that does not exist is refused', async () => {
      const { store, objects } = make();
      const { session } = life.createOrder();
      expect(await store.write(session.id, snapshotOf('x'), null)).toBe('refused');
      expect(objects?.size ?? 0).toBe(0);
    });
  });

  test('a claim waits for a snapshot that is being stored, and the next one of the old attempt is refused', async () => {
    const { own, runId } = await life.open();
    await claim(runId, 1);
    const { store: objects } = bucket();
    const store = sqlSnapshotStore(suite.database, { objects, onLeftOver: fail });
    const fence = { runNumber: 1, attempt: 1 };
    const outcomes = await Promise.all([
      ...Array.from({ length: 8 }, (_, index) => store.write(own.sessionId, snapshotOf(`old ${index}`), fence)),
      claim(runId, 2),
      ...Array.from({ length: 8 }, (_, index) => store.write(own.sessionId, snapshotOf(`late ${index}`), fence)),
    ]);
    const last = await store.read(own.sessionId);
    expect(await store.write(own.sessionId, snapshotOf('zombie'), fence)).toBe('refused');
    expect(textOf(await store.read(own.sessionId))).toBe(textOf(last));
    expect(outcomes.filter((one) => one === 'stored' || one === 'refused')).toHaveLength(16);
  });

  test('a reader that is overtaken by a newer snapshot reads that one', async () => {
    const { own } = await life.open();
    const { store: objects } = bucket();
    const store = sqlSnapshotStore(suite.database, { objects, onLeftOver: fail });
    await store.write(own.sessionId, snapshotOf('old'), null);
    let overtaken = false;
    const slow = sqlSnapshotStore(suite.database, {
      onLeftOver: fail,
      objects: {
        ...objects,
        async get(name) {
          if (!overtaken) await store.write(own.sessionId, snapshotOf('new'), null);
          overtaken = true;
          return objects.get(name);
        },
      },
    });
    expect(textOf(await slow.read(own.sessionId))).toBe('new');
  });

  test('an object that cannot be removed is told, and costs nothing else', async () => {
    const { own } = await life.open();
    const left: string[] = [];
    const store = sqlSnapshotStore(suite.database, {
      objects: { ...bucket().store, remove: () => Promise.reject(new Error('no')) },
      onLeftOver: (name) => void left.push(name),
    });
    await store.write(own.sessionId, snapshotOf('one'), null);
    await store.write(own.sessionId, snapshotOf('two'), null);
    expect(textOf(await store.read(own.sessionId))).toBe('two');
    expect(left).toEqual([expect.stringContaining(own.sessionId)]);
  });
});

function fail(name: string, error: unknown): never {
  throw new Error(`${name} was left over`, { cause: error });
}
