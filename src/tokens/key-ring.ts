/**
 * The live keys, held in memory: a request is authenticated without a query, and still when the
 * database is down. The snapshot follows the table by these rules:
 * - older than `refreshAfterMs`: the next look reloads it behind its back;
 * - older than `waitAfterMs`: the next look waits for that reload, so that a key revoked during a quiet
 *   night opens nothing in the morning;
 * - a key or environment that is not in it: reload at once, since another process may have just added it;
 * - while somebody watches a key: reload every `refreshAfterMs`, asked or not, so that a revocation reaches
 *   whoever rests on it within that time, also in a process that is told of nothing;
 * - `refresh`, when another process tells of a change.
 * At most one reload per `reloadIntervalMs`, whatever callers send.
 */
import type { CryptoKey } from 'jose';
import type { Environment } from '../domain/ids.ts';
import { rememberedKeysMax } from '../domain/limits.ts';
import { type KeyRingParts, type KeySnapshot, snapshotKeeper } from './key-snapshots.ts';
import { keyWatches } from './key-watches.ts';
import { type AccessKey, digestOf, type KeyOwner } from './keys.ts';

/** All but `watch` and `refresh` throw `Unavailable` when the answer is not in memory and the database cannot be asked. */
export interface KeyRing {
  /** Null when it is nobody's. */
  keyOf(secretKey: string): Promise<AccessKey | null>;
  /**
   * The environment and its live root keys; null when it does not exist or has none.
   * @param tried ids of keys that were no use: the answer then has another one
   */
  owner(environmentId: string, tried?: ReadonlySet<string>): Promise<KeyOwner | null>;
  isLive(keyId: string): Promise<boolean>;
  /**
   * Calls back, once, when one of the keys is over: at once if it is already, else within `refreshAfterMs` while
   * the database answers. Returns the function that ends the watch.
   */
  watch(keyIds: readonly string[], onOver: () => void): () => void;
  /** Keys have changed. */
  refresh(): void;
  /** Leaves no timer behind. */
  stop(): void;
}

/** What the server signs with for a caller who has just shown one of the environment's keys, or a token under it. */
export async function newestRootKey(keys: Pick<KeyRing, 'owner'>, environment: Environment): Promise<CryptoKey> {
  const owner = await keys.owner(environment.id);
  const newest = owner?.keys[0]?.signingKey;
  if (newest === undefined) throw new Error('the environment lost its last key while it was asking');
  return newest;
}

/** Digests of keys that opened something lately: making them anew took 3 % of the processor time of an append. */
function rememberedDigests() {
  const known = new Map<string, string>();
  return {
    of: (secretKey: string) => known.get(secretKey) ?? digestOf(secretKey).toString('hex'),
    keep(secretKey: string, digest: string): void {
      if (known.has(secretKey)) return;
      if (known.size >= rememberedKeysMax) known.clear();
      known.set(secretKey, digest);
    },
  };
}

export function createKeyRing(parts: KeyRingParts): KeyRing {
  const { now } = parts;
  const snapshots = snapshotKeeper({ ...parts, onLoaded: () => watches.look() });
  const watches = keyWatches({
    isOver: (keyId) => {
      const snapshot = snapshots.current();
      return snapshot !== null && !((snapshot.byId.get(keyId)?.endsAtMs ?? 0) > now());
    },
    reload: () => snapshots.reload(),
  });

  async function find<Found>(look: (snapshot: KeySnapshot) => Found | null): Promise<Found | null> {
    return look(await snapshots.recent()) ?? look(await snapshots.reloaded());
  }

  const digests = rememberedDigests();
  return {
    keyOf(secretKey) {
      const digest = digests.of(secretKey);
      return find(({ byDigest }) => {
        const key = byDigest.get(digest);
        if (key === undefined || key.endsAtMs <= now()) return null;
        digests.keep(secretKey, digest);
        return key.access;
      });
    },
    owner: (environmentId, tried) =>
      find(({ owners }) => {
        const owner = owners.get(environmentId);
        const keys = owner?.keys.filter((key) => key.endsAtMs > now()) ?? [];
        return owner !== undefined && keys.some((key) => tried?.has(key.id) !== true) ? { ...owner, keys } : null;
      }),
    async isLive(keyId) {
      return (await find(({ byId }) => ((byId.get(keyId)?.endsAtMs ?? 0) > now() ? true : null))) ?? false;
    },
    watch: (keyIds, onOver) => watches.add(keyIds, onOver),
    refresh: () => snapshots.refresh(),
    stop() {
      snapshots.stop();
      watches.stop();
    },
  };
}
