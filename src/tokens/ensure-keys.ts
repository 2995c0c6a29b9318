/** At start: the keys of the configuration exist, and those stored can be opened. */
import { randomBytes } from 'node:crypto';
import { type EnvironmentId, type EnvironmentName, idBody, parseEnvironmentName } from '../domain/ids.ts';
import { digestOf, type StoredKey } from './key-ring.ts';
import type { Sealer } from './seal.ts';

export interface NewKey {
  readonly id: string;
  readonly environmentId: EnvironmentId;
  readonly digest: Uint8Array;
  readonly sealed: Uint8Array;
}

/** Each method is safe to repeat and to race with another process. */
export interface KeyStore {
  ensureEnvironment(name: EnvironmentName): Promise<EnvironmentId>;
  /** Leaves a key that is there alone, revoked or not. */
  insertKey(key: NewKey): Promise<void>;
  /** Inserts only into an environment without a live key. */
  insertFirstKey(key: NewKey): Promise<void>;
  /** Newest first. */
  listLiveKeys(): Promise<readonly StoredKey[]>;
}

export interface EnsureKeysOrder {
  readonly store: KeyStore;
  readonly sealer: Sealer;
  /** Null: one random key of `dev`, made at the first start and found again at the next. */
  readonly secretKeys: readonly string[] | null;
}

/**
 * The dev key to print, null when the keys are the operator's own.
 * Throws a plain sentence when a stored key was sealed under another ENCRYPTION_KEY.
 */
export async function ensureKeys({ store, sealer, secretKeys }: EnsureKeysOrder): Promise<string | null> {
  for (const secretKey of secretKeys ?? []) {
    const environmentId = await store.ensureEnvironment(environmentNameOf(secretKey));
    await store.insertKey(newKey(secretKey, environmentId, sealer));
  }
  const devEnvironmentId = secretKeys === null ? await ensureDevKey(store, sealer) : null;
  const opened = (await store.listLiveKeys()).map((key) => ({ key, secretKey: openStored(key, sealer) }));
  return opened.find(({ key }) => key.environment.id === devEnvironmentId)?.secretKey ?? null;
}

async function ensureDevKey(store: KeyStore, sealer: Sealer): Promise<EnvironmentId> {
  const environmentId = await store.ensureEnvironment('dev');
  await store.insertFirstKey(newKey(`tr_dev_${randomBytes(20).toString('hex')}`, environmentId, sealer));
  return environmentId;
}

function newKey(secretKey: string, environmentId: EnvironmentId, sealer: Sealer): NewKey {
  const id = `key_${idBody(Date.now(), randomBytes(16))}`;
  return { id, environmentId, digest: digestOf(secretKey), sealed: sealer.seal(secretKey, id) };
}

function environmentNameOf(secretKey: string): EnvironmentName {
  const name = parseEnvironmentName(secretKey.split('_', 2)[1] ?? '');
  if (name === null) throw new Error('SECRET_KEYS: a key must begin with tr_dev_, tr_stg_, tr_prod_ or tr_preview_');
  return name;
}

function openStored(key: StoredKey, sealer: Sealer): string {
  const secretKey = sealer.open(key.sealed, key.id);
  if (secretKey !== null) return secretKey;
  throw new Error(
    'ENCRYPTION_KEY does not open the secret keys stored in this database. ' +
      'Start with the ENCRYPTION_KEY that was used when they were stored.',
  );
}
