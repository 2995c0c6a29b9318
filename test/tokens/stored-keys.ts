/** Rows of `api_keys` as the key ring gets them, sealed for real. */
import { type EnvironmentName, environmentIdOf } from '../../src/domain/ids.ts';
import { createKeyRing, digestOf, type KeyRing, type StoredKey } from '../../src/tokens/key-ring.ts';
import { createSealer } from '../../src/tokens/seal.ts';

export const sealer = createSealer('ab'.repeat(32));

export const environmentOf = (name: EnvironmentName) => ({ id: environmentIdOf(name.padEnd(25, '0')), name });

export function storedKey(secretKey: string): StoredKey {
  const environment = environmentOf(secretKey.split('_')[1] as EnvironmentName);
  const id = `key_${digestOf(secretKey).toString('hex').slice(0, 25)}`;
  return { id, environment, digest: digestOf(secretKey), sealed: sealer.seal(secretKey, id) };
}

/** A ring over keys that never change, newest first. */
export function ringOf(...secretKeys: readonly string[]): KeyRing {
  const rows = secretKeys.map(storedKey);
  const report = () => undefined;
  return createKeyRing({ listLiveKeys: async () => rows, sealer, report, now: () => performance.now() });
}
