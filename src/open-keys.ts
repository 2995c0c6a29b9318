/** The keys that open environments, sealed at rest. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';
import type { Observe } from './observe/facts.ts';
import { newEnvironmentId } from './sessions/new-ids.ts';
import type { Database } from './storage/database.ts';
import { createKeyStore } from './storage/key-store.ts';
import { ensureKeys } from './tokens/ensure-keys.ts';
import { createKeyRing, type KeyRing } from './tokens/key-ring.ts';
import { createSealer } from './tokens/seal.ts';
import { type SnapshotUrls, snapshotUrls } from './tokens/snapshot-url.ts';

export interface OpenKeys {
  readonly ring: KeyRing;
  /** The embedded mode's own key, to print; null when the operator brought keys. */
  readonly devKey: string | null;
  readonly snapshotUrls: SnapshotUrls;
}

export async function openKeys(parts: { config: Config; database: Database; observe: Observe }): Promise<OpenKeys> {
  const { config, database, observe } = parts;
  const store = createKeyStore({ database, newEnvironmentId });
  const encryptionKey = config.encryptionKey ?? (await ownEncryptionKey(config.dataDir));
  const sealer = createSealer(encryptionKey);
  const devKey = await ensureKeys({ store, sealer, secretKeys: ownKeys(config) });
  const ring = createKeyRing({
    listLiveKeys: () => store.listLiveKeys(),
    sealer,
    report: observe,
    now: () => performance.now(),
  });
  return { ring, devKey, snapshotUrls: snapshotUrls([encryptionKey], Date.now) };
}

/** Only the embedded database gets a key of its own making: one that others share is opened by the operator's. */
const ownKeys = (config: Config): readonly string[] | null =>
  config.secretKeys ?? (config.databaseUrl === null ? null : []);

/** Beside the embedded database that it seals; readable by its owner alone. The folder's lock is held. */
async function ownEncryptionKey(dataDir: string): Promise<string> {
  const path = join(dataDir, 'encryption.key');
  const kept = await readFile(path, 'utf8').catch(() => null);
  if (kept !== null) return kept.trim();
  const made = randomBytes(32).toString('hex');
  await writeFile(path, `${made}\n`, { mode: 0o600, flag: 'wx' });
  return made;
}
