/**
 * The live root keys, held in memory: a request is authenticated without a query, and still when the
 * database is down. The snapshot follows the table by these rules:
 * - older than `refreshAfterMs`: the next look reloads it behind its back;
 * - older than `waitAfterMs`: the next look waits for that reload, so that a key revoked during a quiet
 *   night opens nothing in the morning;
 * - a key or environment that is not in it: reload at once, since another process may have just added it.
 * At most one reload per `reloadIntervalMs`, whatever callers send.
 */
import { createHash } from 'node:crypto';
import type { CryptoKey } from 'jose';
import { Unavailable } from '../domain/failure.ts';
import type { Environment, EnvironmentId } from '../domain/ids.ts';
import type { Sealer } from './seal.ts';
import { importRootKey } from './sign.ts';

const refreshAfterMs = 5_000;
const waitAfterMs = 60_000;
const reloadIntervalMs = 1_000;
const loadDeadlineMs = 2_000;

/** A row of `api_keys` that is not revoked. */
export interface StoredKey {
  readonly id: string;
  readonly environment: Environment;
  /** SHA-256 of the key's text. */
  readonly digest: Uint8Array;
  readonly sealed: Uint8Array;
}

export interface RootKey {
  readonly id: string;
  readonly environment: Environment;
  readonly signingKey: CryptoKey;
}

export interface KeyOwner {
  readonly environment: Environment;
  /** Newest first, never empty. */
  readonly keys: readonly RootKey[];
}

/** Both throw `Unavailable` when the answer is not in memory and the database cannot be asked. */
export interface KeyRing {
  /** The environment that a secret key opens; null when nobody's. */
  environmentOf(secretKey: string): Promise<Environment | null>;
  /**
   * The environment and its live keys; null when it does not exist or has none.
   * @param tried ids of keys that were no use: the answer then has another one
   */
  owner(environmentId: string, tried?: ReadonlySet<string>): Promise<KeyOwner | null>;
}

/** What the server signs with for a caller who has just shown one of the environment's keys, or a token under it. */
export async function newestRootKey(keys: KeyRing, environment: Environment): Promise<CryptoKey> {
  const owner = await keys.owner(environment.id);
  const newest = owner?.keys[0]?.signingKey;
  if (newest === undefined) throw new Error('the environment lost its last key while it was asking');
  return newest;
}

export type KeyTrouble =
  /** Once per outage; the keys in memory stay valid. */
  | { readonly kind: 'keys_not_reloaded'; readonly error: unknown }
  /** It was sealed under another encryption key and is left out. */
  | { readonly kind: 'key_unreadable'; readonly keyId: string };

export interface KeyRingParts {
  /** Live keys, newest first; bounded by the store. */
  readonly listLiveKeys: () => Promise<readonly StoredKey[]>;
  readonly sealer: Sealer;
  readonly report: (trouble: KeyTrouble) => void;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

interface Snapshot {
  readonly loadedAtMs: number;
  readonly byId: ReadonlyMap<string, RootKey>;
  readonly byDigest: ReadonlyMap<string, RootKey>;
  readonly owners: ReadonlyMap<string, KeyOwner>;
}

export const digestOf = (secretKey: string): Buffer => createHash('sha256').update(secretKey).digest();

export function createKeyRing(parts: KeyRingParts): KeyRing {
  const snapshots = snapshotKeeper(parts);

  async function find<Found>(look: (snapshot: Snapshot) => Found | null): Promise<Found | null> {
    return look(await snapshots.recent()) ?? look(await snapshots.reloaded());
  }

  return {
    environmentOf(secretKey) {
      const digest = digestOf(secretKey).toString('hex');
      return find((snapshot) => snapshot.byDigest.get(digest)?.environment ?? null);
    },
    owner(environmentId, tried) {
      return find((snapshot) => {
        const owner = snapshot.owners.get(environmentId);
        return owner?.keys.some((key) => tried?.has(key.id) !== true) ? owner : null;
      });
    },
  };
}

function snapshotKeeper({ listLiveKeys, sealer, report, now }: KeyRingParts) {
  let snapshot: Snapshot | null = null;
  let attemptedAtMs = Number.NEGATIVE_INFINITY;
  let lastError: unknown = null;
  let reloading: Promise<void> | null = null;

  async function load(): Promise<void> {
    attemptedAtMs = now();
    try {
      const rows = await Promise.race([listLiveKeys(), failAfter(loadDeadlineMs)]);
      snapshot = await snapshotOf(rows, { known: snapshot?.byId ?? new Map(), sealer, report, loadedAtMs: now() });
      lastError = null;
    } catch (error) {
      if (lastError === null) report({ kind: 'keys_not_reloaded', error });
      lastError = error;
    }
  }

  /** Joins a reload under way; starts none when the last one is younger than the interval. */
  async function reload(): Promise<void> {
    if (reloading === null && now() - attemptedAtMs >= reloadIntervalMs) {
      reloading = load().finally(() => {
        reloading = null;
      });
    }
    await reloading;
  }

  return {
    async recent(): Promise<Snapshot> {
      const ageMs = snapshot === null ? Number.POSITIVE_INFINITY : now() - snapshot.loadedAtMs;
      if (ageMs > waitAfterMs) await reload();
      else if (ageMs > refreshAfterMs) void reload();
      if (snapshot === null) throw new Unavailable('database', lastError);
      return snapshot;
    },
    /** For what `recent` did not have: absence is certain only while the database answers. */
    async reloaded(): Promise<Snapshot> {
      await reload();
      if (snapshot === null || lastError !== null) throw new Unavailable('database', lastError);
      return snapshot;
    },
  };
}

function failAfter(deadlineMs: number): Promise<never> {
  return new Promise((_, reject) => {
    AbortSignal.timeout(deadlineMs).addEventListener('abort', () => reject(new Unavailable('database')));
  });
}

interface SnapshotParts {
  /** A row of a key never changes, so what was opened once is not opened again. */
  readonly known: ReadonlyMap<string, RootKey>;
  readonly sealer: Sealer;
  readonly report: (trouble: KeyTrouble) => void;
  readonly loadedAtMs: number;
}

async function snapshotOf(rows: readonly StoredKey[], parts: SnapshotParts): Promise<Snapshot> {
  const byId = new Map<string, RootKey>();
  const byDigest = new Map<string, RootKey>();
  const owners = new Map<EnvironmentId, { environment: Environment; keys: RootKey[] }>();
  for (const row of rows) {
    const key = parts.known.get(row.id) ?? (await openKey(row, parts.sealer));
    if (key === null) {
      parts.report({ kind: 'key_unreadable', keyId: row.id });
      continue;
    }
    byId.set(row.id, key);
    byDigest.set(Buffer.from(row.digest).toString('hex'), key);
    const owner = owners.get(row.environment.id);
    if (owner === undefined) owners.set(row.environment.id, { environment: row.environment, keys: [key] });
    else owner.keys.push(key);
  }
  return { loadedAtMs: parts.loadedAtMs, byId, byDigest, owners };
}

async function openKey(row: StoredKey, sealer: Sealer): Promise<RootKey | null> {
  const secretKey = sealer.open(row.sealed, row.id);
  if (secretKey === null) return null;
  return { id: row.id, environment: row.environment, signingKey: await importRootKey(secretKey) };
}
