/** Rows of `api_keys` as the key ring gets them, sealed for real. */
import { type EnvironmentName, environmentIdOf } from '../../src/domain/ids.ts';
import { createKeyRing, type KeyRing } from '../../src/tokens/key-ring.ts';
import { digestOf, type StoredKey } from '../../src/tokens/keys.ts';
import { createSealer } from '../../src/tokens/seal.ts';

export const sealer = createSealer(['ab'.repeat(32)]);

export const environmentOf = (name: EnvironmentName) => ({ id: environmentIdOf(name.padEnd(25, '0')), name });

/** @param graceMs of a rotated key: what is left of its grace */
export function storedKey(secretKey: string, graceMs: number | null = null): StoredKey {
  const id = keyIdOf(secretKey);
  return { ...rowOf(secretKey), sealed: sealer.seal(secretKey, id), scopes: null, graceMs };
}

export const storedAdditionalKey = (secretKey: string, ...scopes: string[]): StoredKey => ({
  ...rowOf(secretKey),
  sealed: null,
  scopes,
  graceMs: null,
});

export const keyIdOf = (secretKey: string): string => `key_${digestOf(secretKey).toString('hex').slice(0, 25)}`;

const rowOf = (secretKey: string) => ({
  id: keyIdOf(secretKey),
  environment: environmentOf(secretKey.split('_')[1] as EnvironmentName),
  digest: digestOf(secretKey),
});

/** A ring over keys that never change, newest first. */
export const ringOf = (...secretKeys: readonly string[]): KeyRing =>
  ringOfRows(secretKeys.map((key) => storedKey(key)));

export const ringOfRows = (rows: readonly StoredKey[]): KeyRing =>
  createKeyRing({ listLiveKeys: async () => rows, sealer, report: () => undefined, now: () => performance.now() });
