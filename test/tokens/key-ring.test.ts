import { beforeEach, describe, expect, test } from 'vitest';
import { Unavailable } from '../../src/domain/failure.ts';
import { createKeyRing, type KeyRing, type KeyTrouble, type StoredKey } from '../../src/tokens/key-ring.ts';
import { createSealer } from '../../src/tokens/seal.ts';
import { environmentOf, sealer, storedKey } from './stored-keys.ts';

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
    const asked = [first, other, first].map((key) => ring.environmentOf(key));
    expect((await Promise.all(asked)).map((environment) => environment?.name)).toEqual(['dev', 'prod', 'dev']);
    expect(table.loads).toBe(1);
  });

  test('an unknown key is looked for in the table, at most once a second', async () => {
    await ring.environmentOf(first);
    table.rows = [storedKey(second), ...table.rows];
    expect(await ring.environmentOf(second)).toBeNull();
    expect(table.loads).toBe(1);
    table.nowMs += 1_000;
    const found = await Promise.all(Array.from({ length: 50 }, () => ring.environmentOf(second)));
    expect(found.every((environment) => environment?.name === 'dev')).toBe(true);
    expect(table.loads).toBe(2);
  });

  test('a flood of unknown keys costs one query a second', async () => {
    await ring.environmentOf(first);
    for (let index = 0; index < 200; index += 1) {
      table.nowMs += 10;
      expect(await ring.environmentOf(`tr_dev_unknown${index}`)).toBeNull();
    }
    expect(table.loads).toBeLessThanOrEqual(3);
  });

  test('a snapshot older than five seconds is renewed behind the callers back', async () => {
    await ring.environmentOf(first);
    table.rows = [storedKey(second)];
    table.nowMs += 5_001;
    expect((await ring.environmentOf(first))?.name).toBe('dev');
    await expect.poll(() => ring.environmentOf(first)).toBeNull();
    expect(table.loads).toBe(2);
  });

  test('a key revoked during a quiet hour opens nothing afterwards', async () => {
    await ring.environmentOf(first);
    table.rows = [storedKey(other)];
    table.nowMs += 3_600_000;
    expect(await ring.environmentOf(first)).toBeNull();
  });

  test('known keys stay good while the database is down; what is unknown cannot be judged', async () => {
    await ring.environmentOf(first);
    table.isDown = true;
    for (const step of [6_000, 60_000, 3_600_000]) {
      table.nowMs += step;
      expect((await ring.environmentOf(first))?.name).toBe('dev');
      await expect(ring.environmentOf(second)).rejects.toThrow(Unavailable);
    }
    expect(table.troubles).toHaveLength(1);
    table.isDown = false;
    table.nowMs += 1_000;
    expect(await ring.environmentOf(second)).toBeNull();
  });

  test('a ring that never loaded says that the database is not available, and recovers by itself', async () => {
    table.isDown = true;
    await expect(ring.environmentOf(first)).rejects.toMatchObject({ part: 'database' });
    await expect(ring.owner(environmentOf('dev').id)).rejects.toMatchObject({ part: 'database' });
    expect(table.loads).toBe(1);
    table.isDown = false;
    table.nowMs += 1_000;
    expect((await ring.environmentOf(first))?.name).toBe('dev');
  });

  test('a load that hangs is given up within its deadline', async () => {
    table.hold = new Promise(() => undefined);
    await expect(ring.environmentOf(first)).rejects.toMatchObject({ part: 'database' });
    table.hold = null;
    table.nowMs += 1_000;
    expect((await ring.environmentOf(first))?.name).toBe('dev');
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
    const sealed = createSealer('cd'.repeat(32)).seal(second, foreign.id);
    table.rows = [{ ...foreign, sealed }, ...table.rows];
    expect((await ring.environmentOf(first))?.name).toBe('dev');
    expect(await ring.environmentOf(second)).toBeNull();
    expect(table.troubles).toContainEqual({ kind: 'key_unreadable', keyId: foreign.id });
  });
});
