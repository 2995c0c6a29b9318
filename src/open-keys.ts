/** The keys that open environments, sealed at rest. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';
import type { Log } from './observe/log.ts';
import { logFacts } from './observe/log-facts.ts';
import { newEnvironmentId } from './sessions/new-ids.ts';
import type { StopStack } from './stop-stack.ts';
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

interface OpenKeysParts {
  readonly config: Config;
  readonly database: Database;
  readonly log: Log;
}

/** Where whoever changes keys tells the API processes, which otherwise notice within seconds. */
export const keyChangesChannel = 'key_changes';

export async function openKeys({ config, database, log }: OpenKeysParts, stops: StopStack): Promise<OpenKeys> {
  const store = createKeyStore({ database, newEnvironmentId });
  const encryptionKeys = await encryptionKeysOf(config);
  const sealer = createSealer(encryptionKeys);
  const { devKey, outdated } = await ensureKeys({ store, sealer, secretKeys: ownKeys(config) });
  if (outdated > 0) log.warn({ outdated }, 'keys are sealed under an older ENCRYPTION_KEY: run `perdure keys reseal`');
  const ring = createKeyRing({
    listLiveKeys: () => store.listLiveKeys(),
    sealer,
    report: logFacts(log),
    now: () => performance.now(),
  });
  const refresh = () => ring.refresh();
  const unlisten = await database.listen(keyChangesChannel, { onPayload: refresh, onGap: refresh });
  const stop = async () => {
    ring.stop();
    await unlisten();
  };
  stops.push('keys', stop, 2_000);
  return { ring, devKey, snapshotUrls: snapshotUrls(encryptionKeys, Date.now) };
}

type EncryptionKeys = NonNullable<Config['encryptionKeys']>;

/** Newest first. */
export async function encryptionKeysOf({ encryptionKeys, dataDir }: Config): Promise<EncryptionKeys> {
  return encryptionKeys ?? [await ownEncryptionKey(dataDir)];
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
