import { beforeEach, expect, test } from 'vitest';
import { newEnvironmentId } from '../../src/sessions/new-ids.ts';
import { sqlKeyRegister } from '../../src/storage/key-register.ts';
import { createKeyStore } from '../../src/storage/key-store.ts';
import { ensureKeys } from '../../src/tokens/ensure-keys.ts';
import { createKeyRing } from '../../src/tokens/key-ring.ts';
import { additionalKeyOf, newAdditionalKeyText, newRootKeyText, rootKeyOf } from '../../src/tokens/new-key.ts';
import { createSealer } from '../../src/tokens/seal.ts';
import { describeEachDatabase } from '../harness/databases.ts';

const sealer = createSealer(['ab'.repeat(32)]);
const devKey = 'tr_dev_0123456789abcdef';

describeEachDatabase('the register of keys', (suite) => {
  const storeOn = (database = suite.database) => createKeyStore({ database, newEnvironmentId });
  const registerOn = (database = suite.database) => sqlKeyRegister(database);
  const ensure = async (secretKeys: readonly string[] | null) =>
    (await ensureKeys({ store: storeOn(), sealer, secretKeys })).devKey;
  /** A second process where the database allows one. */
  const another = () => (suite.kind === 'postgres' ? suite.openAnother() : suite.database);
  const ring = () =>
    createKeyRing({
      listLiveKeys: storeOn().listLiveKeys,
      sealer,
      report: () => undefined,
      now: () => performance.now(),
    });

  beforeEach(async () => {
    await suite.database.query('DELETE FROM api_keys');
    await suite.database.query('DELETE FROM environments');
  });

  const environment = async () => ({ environmentId: await storeOn().ensureEnvironment('dev'), name: 'ci' });
  const additional = async (...scopes: string[]) =>
    additionalKeyOf(newAdditionalKeyText('dev'), await environment(), scopes);
  const anotherRoot = async () => rootKeyOf(newRootKeyText('dev'), await environment(), sealer);
  const idOf = async (secretKey: string) => (await ring().keyOf(secretKey))?.id ?? '';
  const revoke = async (id: string, evenLast = false, register = registerOn()) =>
    register.revoke({ keyId: id, environmentId: (await environment()).environmentId, evenLast });

  test('an additional key needs a root key beside it, and is kept by its digest alone', async () => {
    expect(await registerOn().insertAdditionalKey(await additional('read:sessions'))).toBe(false);
    await ensure([devKey]);
    const key = await additional('read:sessions');
    expect(await registerOn().insertAdditionalKey(key)).toBe(true);
    expect(await storeOn().listLiveKeys()).toMatchObject([
      { scopes: null },
      { id: key.id, scopes: ['read:sessions'], sealed: null, graceMs: null },
    ]);
  });

  test('a rotated key lasts for its grace, comes last, and cannot be rotated again', async () => {
    await ensure([devKey]);
    const [keyId, successor] = [await idOf(devKey), await anotherRoot()];
    expect(await registerOn().rotate({ keyId, successor, graceSeconds: 3_600 })).toBe(true);
    expect(await registerOn().rotate({ keyId, successor: await anotherRoot(), graceSeconds: 3_600 })).toBe(false);
    const [newest, old, ...rest] = await storeOn().listLiveKeys();
    expect([newest?.id, newest?.graceMs, old?.id, rest]).toEqual([successor.id, null, keyId, []]);
    expect(old?.graceMs).toBeGreaterThan(3_590_000);
    expect(old?.graceMs).toBeLessThanOrEqual(3_600_000);
    await suite.database.query(
      "UPDATE api_keys SET grace_ends_at = clock_timestamp() - interval '1 ms' WHERE id = $1",
      [keyId],
    );
    expect((await storeOn().listLiveKeys()).map(({ id }) => id)).toEqual([successor.id]);
  });

  test('rotated without a grace it is over at once; the configuration does not bring it back', async () => {
    await ensure([devKey]);
    const successor = await anotherRoot();
    await registerOn().rotate({ keyId: await idOf(devKey), successor, graceSeconds: 0 });
    await ensure([devKey]);
    expect((await storeOn().listLiveKeys()).map(({ id }) => id)).toEqual([successor.id]);
    expect(await ensure(null)).not.toBe(devKey);
  });

  test('of two rotations at once one makes a successor', async () => {
    await ensure([devKey]);
    const keyId = await idOf(devKey);
    const successors = [await anotherRoot(), await anotherRoot()] as const;
    const done = await Promise.all([
      registerOn().rotate({ keyId, successor: successors[0], graceSeconds: 60 }),
      registerOn(another()).rotate({ keyId, successor: successors[1], graceSeconds: 60 }),
    ]);
    expect(done.filter(Boolean)).toHaveLength(1);
    expect(await registerOn().list()).toHaveLength(2);
  });

  test('the last root key of an environment is revoked only by name; of two at once one stays', async () => {
    await ensure([devKey, 'tr_dev_second0123456789']);
    const ids = [await idOf(devKey), await idOf('tr_dev_second0123456789')] as const;
    const answers = await Promise.all([revoke(ids[0]), revoke(ids[1], false, registerOn(another()))]);
    expect(answers.toSorted()).toEqual(['last', 'revoked']);
    const [left] = await storeOn().listLiveKeys();
    expect(await revoke(left?.id ?? '')).toBe('last');
    expect(await revoke(left?.id ?? '', true)).toBe('revoked');
    expect(await storeOn().listLiveKeys()).toEqual([]);
  });

  test('revoking twice is revoking once, and a list tells when it was', async () => {
    await ensure([devKey]);
    const key = await additional('read:sessions', 'write:tasks:my-chat');
    await registerOn().insertAdditionalKey(key);
    expect(await revoke(key.id)).toBe('revoked');
    const listed = async () => (await registerOn().list()).find(({ id }) => id === key.id);
    const before = await listed();
    expect(await revoke(key.id)).toBe('revoked');
    expect(await listed()).toEqual(before);
    expect(before).toMatchObject({ environment: 'dev', name: 'ci', scopes: key.scopes, graceEndsAt: null });
    expect(before?.revokedAt).toBeInstanceOf(Date);
  });
});
