/** Environments, and the keys that open them, as the server needs them; `key-register.ts` is for operators. */
import type { Environment, EnvironmentId, EnvironmentName } from '../domain/ids.ts';
import type { Database, Sql, SqlRow } from './database.ts';

/** Held in memory by each API process; far beyond any real set of keys. */
export const liveKeysMax = 10_000;

export interface KeyRow {
  readonly id: string;
  readonly environmentId: EnvironmentId;
  readonly digest: Uint8Array;
  /** Null for an additional key, which signs nothing. */
  readonly sealed: Uint8Array | null;
  readonly name: string | null;
  /** Null for a root key. */
  readonly scopes: readonly string[] | null;
}

const insertKeyText = `
  INSERT INTO api_keys (id, environment_id, digest, sealed, name, scopes) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (digest) DO NOTHING`;

/** Root keys first, so that no number of others crowds them out; keys in their grace come after all that fit better. */
const listLiveKeysText = `
  SELECT key.id, key.digest, key.sealed, key.scopes,
    environment.id AS environment_id, environment.name AS environment_name,
    (extract(epoch FROM key.grace_ends_at - clock_timestamp()) * 1000)::double precision AS grace_ms
  FROM api_keys AS key JOIN environments AS environment ON environment.id = key.environment_id
  WHERE key.revoked_at IS NULL AND (key.grace_ends_at IS NULL OR key.grace_ends_at > clock_timestamp())
  ORDER BY key.scopes IS NOT NULL, key.grace_ends_at IS NOT NULL, key.created_at DESC, key.id DESC
  LIMIT ${liveKeysMax}`;

/** Neither revoked nor on its way out: what an environment signs with from now on. */
const countLastingRootKeysText = `
  SELECT count(*)::integer AS count FROM api_keys
  WHERE environment_id = $1 AND scopes IS NULL AND revoked_at IS NULL AND grace_ends_at IS NULL`;

interface LiveKeyRow extends SqlRow {
  readonly id: string;
  readonly digest: Uint8Array;
  readonly sealed: Uint8Array | null;
  readonly scopes: readonly string[] | null;
  readonly environment_id: EnvironmentId;
  readonly environment_name: EnvironmentName;
  readonly grace_ms: number | null;
}

export interface KeyStoreParts {
  readonly database: Database;
  readonly newEnvironmentId: () => EnvironmentId;
}

export function createKeyStore({ database, newEnvironmentId }: KeyStoreParts) {
  return {
    async ensureEnvironment(name: EnvironmentName): Promise<EnvironmentId> {
      await database.query('INSERT INTO environments (id, name) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING', [
        newEnvironmentId(),
        name,
      ]);
      const rows = await database.query<{ id: EnvironmentId }>('SELECT id FROM environments WHERE name = $1', [name]);
      if (rows[0] === undefined) throw new Error(`environment ${name} vanished after it was ensured`);
      return rows[0].id;
    },

    async insertKey(key: KeyRow): Promise<void> {
      await insertKey(database, key);
    },

    async insertFirstKey(key: KeyRow): Promise<void> {
      await database.transaction(async (sql) => {
        await lockEnvironment(sql, key.environmentId);
        if ((await countLastingRootKeys(sql, key.environmentId)) === 0) await insertKey(sql, key);
      });
    },

    async listLiveKeys() {
      const rows = await database.query<LiveKeyRow>(listLiveKeysText);
      return rows.map(({ id, digest, sealed, scopes, grace_ms: graceMs, ...row }) => {
        const environment: Environment = { id: row.environment_id, name: row.environment_name };
        return { id, environment, digest, sealed, scopes, graceMs };
      });
    },
  };
}

export const insertKey = (sql: Sql, key: KeyRow) =>
  sql.query(insertKeyText, [key.id, key.environmentId, key.digest, key.sealed, key.name, key.scopes]);

/** Orders on the keys of one environment wait for each other: two processes may start, or revoke, at once. */
export async function lockEnvironment(sql: Sql, environmentId: EnvironmentId): Promise<void> {
  await sql.query('SELECT 1 FROM environments WHERE id = $1 FOR NO KEY UPDATE', [environmentId]);
}

export async function countLastingRootKeys(sql: Sql, environmentId: EnvironmentId): Promise<number> {
  const [row] = await sql.query<{ count: number }>(countLastingRootKeysText, [environmentId]);
  return row?.count ?? 0;
}
