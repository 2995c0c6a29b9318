import { beforeEach, describe, expect, test } from 'vitest';
import { newEnvironmentId } from '../../src/sessions/new-ids.ts';
import { createKeyStore } from '../../src/storage/key-store.ts';
import { ensureKeys } from '../../src/tokens/ensure-keys.ts';
import { createKeyRing } from '../../src/tokens/key-ring.ts';
import { createSealer } from '../../src/tokens/seal.ts';
import { describeEachDatabase } from '../harness/databases.ts';

const sealer = createSealer(['ab'.repeat(32)]);
const devKey = 'tr_dev_0123456789abcdef';
const prodKey = 'tr_prod_0123456789abcdef';

describeEachDatabase('the store of keys', (suite) => {
  const storeOn = (database = suite.database) => createKeyStore({ database, newEnvironmentId });
  const ensure = (secretKeys: readonly string[] | null, database = suite.database) =>
    ensureKeys({ store: storeOn(database), sealer, secretKeys }).then((ensured) => ensured.devKey);
  /** A second process where the database allows one. */
  const another = () => (suite.kind === 'postgres' ? suite.openAnother() : suite.database);
  const count = async (table: string) => (await suite.database.query(`SELECT 1 FROM ${table}`)).length;

  beforeEach(async () => {
    await suite.database.query('DELETE FROM api_keys');
    await suite.database.query('DELETE FROM environments');
  });

  describe('keys of the operator', () => {
    test('make their environments, once, and open them', async () => {
      expect(await ensure([devKey, prodKey])).toBeNull();
      expect(await ensure([prodKey, devKey])).toBeNull();
      expect([await count('environments'), await count('api_keys')]).toEqual([2, 2]);
      const ring = ringOn(storeOn());
      expect((await ring.keyOf(devKey))?.environment.name).toBe('dev');
      expect((await ring.keyOf(prodKey))?.environment.name).toBe('prod');
      expect(await ring.keyOf('tr_dev_unknown000000000')).toBeNull();
    });

    test('are there once when two processes start together', async () => {
      await Promise.all([ensure([devKey, prodKey]), ensure([prodKey, devKey], another())]);
      expect([await count('environments'), await count('api_keys')]).toEqual([2, 2]);
    });

    test('several of one environment share it, newest first', async () => {
      await ensure([devKey]);
      await ensure(['tr_dev_second0123456789']);
      const keys = await storeOn().listLiveKeys();
      expect(keys.map((key) => sealer.open(key.sealed ?? new Uint8Array(), key.id)?.secretKey)).toEqual([
        'tr_dev_second0123456789',
        devKey,
      ]);
      expect(new Set(keys.map((key) => key.environment.id)).size).toBe(1);
    });

    test('stay revoked, though the configuration still names them', async () => {
      await ensure([devKey]);
      await suite.database.query('UPDATE api_keys SET revoked_at = clock_timestamp()');
      await ensure([devKey]);
      expect(await storeOn().listLiveKeys()).toEqual([]);
    });

    test('are stored without their text', async () => {
      await ensure([devKey]);
      const rows = await suite.database.query<{ sealed: Uint8Array; digest: Uint8Array }>('SELECT * FROM api_keys');
      expect(JSON.stringify(rows.map((row) => Buffer.from(row.sealed).toString('latin1')))).not.toContain('0123456789');
      expect(rows[0]?.digest).toHaveLength(32);
    });

    test('sealed under another ENCRYPTION_KEY stop the start, in a plain sentence', async () => {
      await ensure([devKey]);
      const stranger = createSealer(['cd'.repeat(32)]);
      await expect(ensureKeys({ store: storeOn(), sealer: stranger, secretKeys: [devKey] })).rejects.toThrow(
        'ENCRYPTION_KEY does not open the secret keys stored in this database.',
      );
    });
  });

  describe('the key of the embedded mode', () => {
    test('is made at the first start and found again at the next', async () => {
      const made = await ensure(null);
      expect(made).toMatch(/^tr_dev_[0-9a-f]{40}$/);
      expect(await ensure(null)).toBe(made);
      expect(await count('api_keys')).toBe(1);
    });

    test('is one when two processes start together', async () => {
      const [first, second] = await Promise.all([ensure(null), ensure(null, another())]);
      expect(second).toBe(first);
      expect(await count('api_keys')).toBe(1);
    });

    test('is not made beside a dev key of the operator, and is made beside keys of other environments', async () => {
      await ensure([devKey]);
      expect(await ensure(null)).toBe(devKey);
      await suite.database.query('DELETE FROM api_keys');
      await ensure([prodKey]);
      expect(await ensure(null)).toMatch(/^tr_dev_/);
    });
  });
});

const ringOn = (store: ReturnType<typeof createKeyStore>) =>
  createKeyRing({
    listLiveKeys: () => store.listLiveKeys(),
    sealer,
    report: () => undefined,
    now: () => performance.now(),
  });
