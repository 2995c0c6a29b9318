/** At start: the keys of the configuration exist, and those stored can be opened. */
import { type EnvironmentId, type EnvironmentName, parseEnvironmentName } from '../domain/ids.ts';
import type { StoredKey } from './keys.ts';
import { type NewKey, newRootKeyText, rootKeyOf } from './new-key.ts';
import type { Sealer } from './seal.ts';

/** Each method is safe to repeat and to race with another process. */
export interface KeyStore {
  ensureEnvironment(name: EnvironmentName): Promise<EnvironmentId>;
  /** Leaves a key that is there alone, revoked, rotated or not. */
  insertKey(key: NewKey): Promise<void>;
  /** Inserts only into an environment without a root key that lasts. */
  insertFirstKey(key: NewKey): Promise<void>;
  /** Newest first, then those in the grace of a rotation. */
  listLiveKeys(): Promise<readonly StoredKey[]>;
}

export interface EnsureKeysOrder {
  readonly store: KeyStore;
  readonly sealer: Sealer;
  /** Null: one random key of `dev`, made at the first start and found again at the next. */
  readonly secretKeys: readonly string[] | null;
}

export interface EnsuredKeys {
  /** To print; null when the keys are the operator's own. */
  readonly devKey: string | null;
  /** Keys that are still sealed under an older encryption key. */
  readonly outdated: number;
}

/** Throws a plain sentence when a stored key was sealed under another ENCRYPTION_KEY. */
export async function ensureKeys({ store, sealer, secretKeys }: EnsureKeysOrder): Promise<EnsuredKeys> {
  for (const secretKey of secretKeys ?? []) {
    const environmentId = await store.ensureEnvironment(environmentNameOf(secretKey));
    await store.insertKey(rootKeyOf(secretKey, { environmentId, name: null }, sealer));
  }
  const devEnvironmentId = secretKeys === null ? await ensureDevKey(store, sealer) : null;
  const opened = (await store.listLiveKeys()).flatMap((key) =>
    key.sealed === null ? [] : [{ key, ...openStored(key.id, key.sealed, sealer) }],
  );
  return {
    devKey: opened.find(({ key }) => key.environment.id === devEnvironmentId)?.secretKey ?? null,
    outdated: opened.filter(({ isOutdated }) => isOutdated).length,
  };
}

async function ensureDevKey(store: KeyStore, sealer: Sealer): Promise<EnvironmentId> {
  const environmentId = await store.ensureEnvironment('dev');
  await store.insertFirstKey(rootKeyOf(newRootKeyText('dev'), { environmentId, name: null }, sealer));
  return environmentId;
}

function environmentNameOf(secretKey: string): EnvironmentName {
  const name = parseEnvironmentName(secretKey.split('_', 2)[1] ?? '');
  if (name === null) throw new Error('SECRET_KEYS: a key must begin with tr_dev_, tr_stg_, tr_prod_ or tr_preview_');
  return name;
}

function openStored(keyId: string, sealed: Uint8Array, sealer: Sealer) {
  const opened = sealer.open(sealed, keyId);
  if (opened !== null) return opened;
  throw new Error(
    'ENCRYPTION_KEY does not open the secret keys stored in this database. ' +
      'Start with the ENCRYPTION_KEY that was used when they were stored.',
  );
}
