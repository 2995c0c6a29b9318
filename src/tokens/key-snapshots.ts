/** The table of keys as this process last saw it, and when it looks again. */
import type { CryptoKey } from 'jose';
import { inTime } from '../deadline.ts';
import { Unavailable } from '../domain/failure.ts';
import type { Environment, EnvironmentId } from '../domain/ids.ts';
import type { AccessKey, RootKey, StoredKey } from './keys.ts';
import type { Sealer } from './seal.ts';
import { importRootKey } from './sign.ts';

/** An age at which a snapshot is renewed; also how soon a revocation is noticed without a notification. */
export const refreshAfterMs = 5_000;
const waitAfterMs = 60_000;
const reloadIntervalMs = 1_000;
const loadDeadlineMs = 2_000;

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

/** One look at the table. */
export interface KeySnapshot {
  readonly loadedAtMs: number;
  readonly byId: ReadonlyMap<string, HeldKey>;
  readonly byDigest: ReadonlyMap<string, HeldKey>;
  readonly owners: ReadonlyMap<string, HeldOwner>;
}

export interface HeldKey {
  readonly access: AccessKey;
  /** Null for an additional key. */
  readonly signingKey: CryptoKey | null;
  /** By the clock of the ring; infinite for a key without an end. */
  readonly endsAtMs: number;
}

export interface HeldOwner {
  readonly environment: Environment;
  readonly keys: readonly (RootKey & Pick<HeldKey, 'endsAtMs'>)[];
}

export interface SnapshotKeeper {
  /** Null before the first load. */
  current(): KeySnapshot | null;
  recent(): Promise<KeySnapshot>;
  /** For what `recent` did not have: absence is certain only while the database answers. */
  reloaded(): Promise<KeySnapshot>;
  /** Never rejects. */
  reload(): Promise<void>;
  /** A reload, now or as soon as the interval allows. */
  refresh(): void;
  stop(): void;
}

export function snapshotKeeper(parts: KeyRingParts & { readonly onLoaded: () => void }): SnapshotKeeper {
  const { now, report } = parts;
  let snapshot: KeySnapshot | null = null;
  let attemptedAtMs = Number.NEGATIVE_INFINITY;
  let lastError: unknown = null;
  let reloading: Promise<void> | null = null;
  let refreshing: NodeJS.Timeout | null = null;
  async function load(): Promise<void> {
    attemptedAtMs = now();
    try {
      const rows = await inTime(parts.listLiveKeys(), loadDeadlineMs, () => new Unavailable('database'));
      snapshot = await snapshotOf(rows, { ...parts, known: snapshot?.byId ?? new Map(), loadedAtMs: now() });
      lastError = null;
    } catch (error) {
      if (lastError === null) report({ kind: 'keys_not_reloaded', error });
      lastError = error;
    }
    parts.onLoaded();
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
    current: () => snapshot,
    reload,
    async recent() {
      const ageMs = snapshot === null ? Number.POSITIVE_INFINITY : now() - snapshot.loadedAtMs;
      if (ageMs > waitAfterMs) await reload();
      else if (ageMs > refreshAfterMs) void reload();
      if (snapshot === null) throw new Unavailable('database', lastError);
      return snapshot;
    },
    async reloaded() {
      await reload();
      if (snapshot === null || lastError !== null) throw new Unavailable('database', lastError);
      return snapshot;
    },
    refresh() {
      if (refreshing !== null) return;
      // A load under way may have read the table before the change: never join it.
      // A timer may be a moment early.
      const waitMs = Math.max(0, attemptedAtMs + reloadIntervalMs - now()) + 5;
      refreshing = setTimeout(() => {
        refreshing = null;
        void (reloading ?? Promise.resolve()).then(reload);
      }, waitMs).unref();
    },
    stop() {
      if (refreshing !== null) clearTimeout(refreshing);
    },
  };
}

interface SnapshotParts extends Pick<KeyRingParts, 'sealer' | 'report'> {
  /** The text of a key never changes, so what was opened once is not opened again. */
  readonly known: ReadonlyMap<string, HeldKey>;
  readonly loadedAtMs: number;
}

async function snapshotOf(rows: readonly StoredKey[], parts: SnapshotParts): Promise<KeySnapshot> {
  const byId = new Map<string, HeldKey>();
  const byDigest = new Map<string, HeldKey>();
  const owners = new Map<EnvironmentId, { environment: Environment; keys: HeldOwner['keys'][number][] }>();
  for (const row of rows) {
    const key = await heldKey(row, parts);
    if (key === null) {
      parts.report({ kind: 'key_unreadable', keyId: row.id });
      continue;
    }
    byId.set(row.id, key);
    byDigest.set(Buffer.from(row.digest).toString('hex'), key);
    if (key.signingKey === null) continue;
    const owner = owners.get(row.environment.id) ?? { environment: row.environment, keys: [] };
    owners.set(row.environment.id, owner);
    owner.keys.push(rootKey(key, key.signingKey));
  }
  return { loadedAtMs: parts.loadedAtMs, byId, byDigest, owners };
}

const rootKey = ({ access, endsAtMs }: HeldKey, signingKey: RootKey['signingKey']): HeldOwner['keys'][number] => ({
  id: access.id,
  environment: access.environment,
  signingKey,
  endsAtMs,
});

async function heldKey(row: StoredKey, { known, sealer, loadedAtMs }: SnapshotParts): Promise<HeldKey | null> {
  const { id, environment, scopes, sealed } = row;
  const endsAtMs = row.graceMs === null ? Number.POSITIVE_INFINITY : loadedAtMs + row.graceMs;
  if (scopes !== null) {
    const access = { id, environment, kind: 'additional', grant: { kind: 'scopes', scopes } } as const;
    return { access, signingKey: null, endsAtMs };
  }
  const access = { id, environment, kind: 'root', grant: { kind: 'all' } } as const;
  const opened = known.get(id)?.signingKey ?? null;
  if (opened !== null) return { access, signingKey: opened, endsAtMs };
  const secretKey = sealed === null ? null : (sealer.open(sealed, id)?.secretKey ?? null);
  return secretKey === null ? null : { access, signingKey: await importRootKey(secretKey), endsAtMs };
}
