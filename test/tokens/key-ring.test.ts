import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Unavailable } from '../../src/domain/failure.ts';
import { createKeyRing, type KeyRing } from '../../src/tokens/key-ring.ts';
import type { KeyTrouble } from '../../src/tokens/key-snapshots.ts';
import type { StoredKey } from '../../src/tokens/keys.ts';
import { createSealer } from '../../src/tokens/seal.ts';
import { environmentOf, keyIdOf, sealer, storedAdditionalKey, storedKey } from './stored-keys.ts';

const first = 'tr_dev_first0123456789ab';
const second = 'tr_dev_second0123456789a';
const other = 'tr_prod_other0123456789a';

/** The table and the clock, in the test's hands. */
class Table {
  rows: readonly StoredKey[] = [];
  loads = 0;
  nowMs = 1_000;
  isDown = false;
  hold: Promise<void> | null = null;
  readonly troubles: KeyTrouble[] = [];

  ring(): KeyRing {
    const listLiveKeys = async () => {
      this.loads += 1;
      if (this.isDown) throw new Unavailable('database');
      const { rows } = this;
      await this.hold;
      return rows;
    };
    return createKeyRing({
      listLiveKeys,
      sealer,
      report: (trouble) => this.troubles.push(trouble),
      now: () => this.nowMs,
    });
  }
}

describe('the key ring', () => {
  let table: Table;
  let ring: KeyRing;
  beforeEach(() => {
    table = new Table();
    table.rows = [storedKey(first), storedKey(other)];
    ring = table.ring();
  });

  test('a key opens its own environment, and one load serves everybody', async () => {
    const asked = [first, other, first].map((key) => ring.keyOf(key));
    expect((await Promise.all(asked)).map((key) => key?.environment.name)).toEqual(['dev', 'prod', 'dev']);
    expect(table.loads).toBe(1);
  });

  test('an unknown key is looked for in the table, at most once a second', async () => {
    await ring.keyOf(first);
    table.rows = [storedKey(second), ...table.rows];
    expect(await ring.keyOf(second)).toBeNull();
    expect(table.loads).toBe(1);
    table.nowMs += 1_000;
    const found = await Promise.all(Array.from({ length: 50 }, () => ring.keyOf(second)));
    expect(found.every((key) => key?.environment.name === 'dev')).toBe(true);
    expect(table.loads).toBe(2);
  });

  test('a flood of unknown keys costs one query a second', async () => {
    await ring.keyOf(first);
    for (let index = 0; index < 200; index += 1) {
      table.nowMs += 10;
      expect(await ring.keyOf(`tr_dev_unknown${index}`)).toBeNull();
    }
    expect(table.loads).toBeLessThanOrEqual(3);
  });

  test('a snapshot older than five seconds is renewed behind the callers back', async () => {
    await ring.keyOf(first);
    table.rows = [storedKey(second)];
    table.nowMs += 5_001;
    expect((await ring.keyOf(first))?.environment.name).toBe('dev');
    await expect.poll(() => ring.keyOf(first)).toBeNull();
    expect(table.loads).toBe(2);
  });

  test('a key revoked during a quiet hour opens nothing afterwards', async () => {
    await ring.keyOf(first);
    table.rows = [storedKey(other)];
    table.nowMs += 3_600_000;
    expect(await ring.keyOf(first)).toBeNull();
  });

  test('known keys stay good while the database is down; what is unknown cannot be judged', async () => {
    await ring.keyOf(first);
    table.isDown = true;
    for (const step of [6_000, 60_000, 3_600_000]) {
      table.nowMs += step;
      expect((await ring.keyOf(first))?.environment.name).toBe('dev');
      await expect(ring.keyOf(second)).rejects.toThrow(Unavailable);
    }
    expect(table.troubles).toHaveLength(1);
    table.isDown = false;
    table.nowMs += 1_000;
    expect(await ring.keyOf(second)).toBeNull();
  });

  test('a ring that never loaded says that the database is not available, and recovers by itself', async () => {
    table.isDown = true;
    await expect(ring.keyOf(first)).rejects.toMatchObject({ part: 'database' });
    await expect(ring.owner(environmentOf('dev').id)).rejects.toMatchObject({ part: 'database' });
    expect(table.loads).toBe(1);
    table.isDown = false;
    table.nowMs += 1_000;
    expect((await ring.keyOf(first))?.environment.name).toBe('dev');
  });

  test('a load that hangs is given up within its deadline', async () => {
    table.hold = new Promise(() => undefined);
    await expect(ring.keyOf(first)).rejects.toMatchObject({ part: 'database' });
    table.hold = null;
    table.nowMs += 1_000;
    expect((await ring.keyOf(first))?.environment.name).toBe('dev');
  });

  test('an owner has its keys newest first, and another look finds only keys that were not tried', async () => {
    table.rows = [storedKey(second), storedKey(first), storedKey(other)];
    const owner = await ring.owner(environmentOf('dev').id);
    expect(owner?.keys.map((key) => key.id)).toEqual([storedKey(second).id, storedKey(first).id]);
    const tried = new Set(owner?.keys.map((key) => key.id));
    expect(await ring.owner(environmentOf('dev').id, tried)).toBeNull();
    expect(await ring.owner('env_unknown')).toBeNull();
    expect(await ring.owner('__proto__')).toBeNull();
  });

  test('a key sealed under another encryption key is left out and reported; the others work', async () => {
    const foreign = storedKey(second);
    const sealed = createSealer(['cd'.repeat(32)]).seal(second, foreign.id);
    table.rows = [{ ...foreign, sealed }, ...table.rows];
    expect((await ring.keyOf(first))?.environment.name).toBe('dev');
    expect(await ring.keyOf(second)).toBeNull();
    expect(table.troubles).toContainEqual({ kind: 'key_unreadable', keyId: foreign.id });
  });

  test('an additional key opens its environment for its scopes, and signs nothing', async () => {
    const additional = `tr_dev_sk_${'a'.repeat(24)}`;
    table.rows = [storedKey(first), storedAdditionalKey(additional, 'read:sessions')];
    expect(await ring.keyOf(additional)).toEqual({
      id: keyIdOf(additional),
      environment: environmentOf('dev'),
      kind: 'additional',
      grant: { kind: 'scopes', scopes: ['read:sessions'] },
    });
    expect((await ring.keyOf(first))?.grant).toEqual({ kind: 'all' });
    const owner = await ring.owner(environmentOf('dev').id);
    expect(owner?.keys.map((key) => key.id)).toEqual([keyIdOf(first)]);
    expect([await ring.isLive(keyIdOf(additional)), await ring.isLive('key_unknown')]).toEqual([true, false]);
  });

  test('a rotated key is good to the end of its grace and not a moment longer, though nothing is loaded', async () => {
    table.rows = [storedKey(second), storedKey(first, 2_500)];
    const dev = environmentOf('dev').id;
    expect((await ring.keyOf(first))?.kind).toBe('root');
    expect((await ring.owner(dev))?.keys.map((key) => key.id)).toEqual([keyIdOf(second), keyIdOf(first)]);
    table.isDown = true;
    table.nowMs += 2_499;
    expect((await ring.keyOf(first))?.kind).toBe('root');
    table.nowMs += 1;
    await expect(ring.keyOf(first)).rejects.toThrow(Unavailable);
    expect((await ring.owner(dev))?.keys.map((key) => key.id)).toEqual([keyIdOf(second)]);
    table.isDown = false;
    table.rows = [storedKey(second)];
    table.nowMs += 1_000;
    expect([await ring.keyOf(first), await ring.isLive(keyIdOf(first))]).toEqual([null, false]);
  });
});

describe('whoever rests on a key', () => {
  let table: Table;
  let ring: KeyRing;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] });
    table = new Table();
    table.rows = [storedKey(first), storedKey(second)];
    ring = table.ring();
  });
  afterEach(() => {
    ring.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
  /** The ring's clock and the timers', together. */
  const pass = async (ms: number) => {
    table.nowMs += ms;
    await vi.advanceTimersByTimeAsync(ms);
  };

  test('hears of its end within five seconds, asked or not, and is told once', async () => {
    await ring.keyOf(first);
    const told: string[] = [];
    ring.watch([keyIdOf(first)], () => told.push('first'));
    ring.watch([keyIdOf(second), keyIdOf(first)], () => told.push('both'));
    const leave = ring.watch([keyIdOf(second)], () => told.push('second'));
    await pass(5_000);
    expect(told).toEqual([]);
    table.rows = [storedKey(second)];
    await pass(5_000);
    expect(told).toEqual(['first', 'both']);
    await pass(60_000);
    expect(told).toEqual(['first', 'both']);
    leave();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('hears of it at once when it is over already', async () => {
    await ring.keyOf(first);
    const told = vi.fn<() => void>();
    ring.watch(['key_that_never_was'], told);
    expect(told).toHaveBeenCalledTimes(1);
  });

  test('is not told while the database is down, but of the end of a grace', async () => {
    table.rows = [storedKey(second), storedKey(first, 12_000)];
    await ring.keyOf(first);
    const told: string[] = [];
    const leave = ring.watch([keyIdOf(second)], () => told.push('second'));
    ring.watch([keyIdOf(first)], () => told.push('first'));
    table.isDown = true;
    await pass(10_000);
    expect(told).toEqual([]);
    await pass(5_000);
    expect(told).toEqual(['first']);
    leave();
  });

  test('hears within about a second when somebody tells the ring, however often', async () => {
    await ring.keyOf(first);
    const told = vi.fn<() => void>();
    ring.watch([keyIdOf(first)], told);
    table.rows = [storedKey(second)];
    for (let times = 0; times < 100; times += 1) ring.refresh();
    await pass(1_010);
    expect(told).toHaveBeenCalledTimes(1);
    expect(table.loads).toBe(2);
  });
});
