/** What operators do with keys. Orders on one environment's keys are serialised by its row. */
import type { EnvironmentId, EnvironmentName } from '../domain/ids.ts';
import type { Database, Sql, SqlRow } from './database.ts';
import { countLastingRootKeys, insertKey, type KeyRow, liveKeysMax, lockEnvironment } from './key-store.ts';

const listKeysText = `
  SELECT key.id, environment.name AS environment, encode(key.digest, 'hex') AS digest, key.name, key.scopes,
    key.created_at, key.revoked_at, key.grace_ends_at,
    coalesce(key.grace_ends_at <= clock_timestamp(), false) AS grace_over
  FROM api_keys AS key JOIN environments AS environment ON environment.id = key.environment_id
  ORDER BY key.created_at, key.id
  LIMIT ${liveKeysMax}`;

interface ListedKeyRow extends SqlRow {
  readonly id: string;
  readonly environment: EnvironmentName;
  readonly digest: string;
  readonly name: string | null;
  readonly scopes: readonly string[] | null;
  readonly created_at: Date;
  readonly revoked_at: Date | null;
  readonly grace_ends_at: Date | null;
  readonly grace_over: boolean;
}

/** What becomes of a key that gets a successor. */
export interface RotateOrder {
  readonly keyId: string;
  readonly successor: KeyRow;
  /** 0: the key is over at once. */
  readonly graceSeconds: number;
}

export function sqlKeyRegister(database: Database) {
  return {
    /** False when the environment has no root key: nothing could sign a token for it. */
    insertAdditionalKey: (key: KeyRow) => database.transaction((sql) => insertAdditionalKey(sql, key)),

    async list() {
      const rows = await database.query<ListedKeyRow>(listKeysText);
      return rows.map(listedKey);
    },

    async find(id: string) {
      const [row] = await database.query<FoundKeyRow>(
        `SELECT environment.id AS environment_id, environment.name AS environment_name, key.name, key.scopes
         FROM api_keys AS key JOIN environments AS environment ON environment.id = key.environment_id WHERE key.id = $1`,
        [id],
      );
      if (row === undefined) return null;
      const { environment_id: environmentId, environment_name: environment, name, scopes } = row;
      return { environmentId, environment, name, scopes };
    },

    /** False when the key was over, or is on its way out already: it has its successor. */
    rotate: (order: RotateOrder) => database.transaction((sql) => rotate(sql, order)),

    /** Revoking twice is revoking once. `last`: it is the one root key that its environment would sign with. */
    revoke: (order: RevokeOrder) => database.transaction((sql) => revoke(sql, order)),

    /** Nothing happens when somebody else has sealed it anew meanwhile. */
    async reseal(keyId: string, from: Uint8Array, to: Uint8Array): Promise<void> {
      await database.query('UPDATE api_keys SET sealed = $3 WHERE id = $1 AND sealed = $2', [keyId, from, to]);
    },

    /** Keys that are over open nothing, but they are sealed as well. */
    listSealed: () =>
      database.query<{ id: string; sealed: Uint8Array }>(
        `SELECT id, sealed FROM api_keys WHERE sealed IS NOT NULL ORDER BY id LIMIT ${liveKeysMax}`,
      ),
  };
}

interface FoundKeyRow extends SqlRow {
  readonly environment_id: EnvironmentId;
  readonly environment_name: EnvironmentName;
  readonly name: string | null;
  readonly scopes: readonly string[] | null;
}

const listedKey = (row: ListedKeyRow) => ({
  id: row.id,
  environment: row.environment,
  digest: row.digest,
  name: row.name,
  scopes: row.scopes,
  createdAt: row.created_at,
  revokedAt: row.revoked_at,
  graceEndsAt: row.grace_ends_at,
  graceIsOver: row.grace_over,
});

async function insertAdditionalKey(sql: Sql, key: KeyRow): Promise<boolean> {
  await lockEnvironment(sql, key.environmentId);
  if ((await countLastingRootKeys(sql, key.environmentId)) === 0) return false;
  await insertKey(sql, key);
  return true;
}

async function rotate(sql: Sql, { keyId, successor, graceSeconds }: RotateOrder): Promise<boolean> {
  await lockEnvironment(sql, successor.environmentId);
  const ended = await sql.query(
    `UPDATE api_keys SET
       revoked_at = CASE WHEN $2 = 0 THEN clock_timestamp() END,
       grace_ends_at = CASE WHEN $2 > 0 THEN clock_timestamp() + $2 * interval '1 second' END
     WHERE id = $1 AND revoked_at IS NULL AND grace_ends_at IS NULL
     RETURNING id`,
    [keyId, graceSeconds],
  );
  if (ended.length === 1) await insertKey(sql, successor);
  return ended.length === 1;
}

export interface RevokeOrder {
  readonly keyId: string;
  readonly environmentId: EnvironmentId;
  /** Also if its environment is then without a root key. */
  readonly evenLast: boolean;
}

async function revoke(sql: Sql, { keyId, environmentId, evenLast }: RevokeOrder): Promise<'revoked' | 'last'> {
  await lockEnvironment(sql, environmentId);
  if (!evenLast && (await isLastRootKey(sql, keyId, environmentId))) return 'last';
  await sql.query('UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE id = $1', [keyId]);
  return 'revoked';
}

async function isLastRootKey(sql: Sql, keyId: string, environmentId: EnvironmentId): Promise<boolean> {
  const lasting = await sql.query(
    `SELECT 1 FROM api_keys WHERE id = $1 AND scopes IS NULL AND revoked_at IS NULL AND grace_ends_at IS NULL`,
    [keyId],
  );
  return lasting.length === 1 && (await countLastingRootKeys(sql, environmentId)) === 1;
}
