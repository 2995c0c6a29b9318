/** Environments and the root keys that open them. */
import type { Environment, EnvironmentId, EnvironmentName } from '../domain/ids.ts';
import type { Database } from './database.ts';

/** Held in memory by each API process; far beyond any real set of keys. */
const liveKeysMax = 10_000;

interface KeyRow {
  readonly id: string;
  readonly environmentId: EnvironmentId;
  readonly digest: Uint8Array;
  readonly sealed: Uint8Array;
}

const insertKeyText = `
  INSERT INTO api_keys (id, environment_id, digest, sealed) VALUES ($1, $2, $3, $4)
  ON CONFLICT (digest) DO NOTHING`;

const listLiveKeysText = `
  SELECT key.id, key.digest, key.sealed, environment.id AS environment_id, environment.name AS environment_name
  FROM api_keys AS key JOIN environments AS environment ON environment.id = key.environment_id
  WHERE key.revoked_at IS NULL
  ORDER BY key.created_at DESC, key.id DESC
  LIMIT ${liveKeysMax}`;

type LiveKeyRow = {
  readonly id: string;
  readonly digest: Uint8Array;
  readonly sealed: Uint8Array;
  readonly environment_id: EnvironmentId;
  readonly environment_name: EnvironmentName;
};

const valuesOf = (key: KeyRow) => [key.id, key.environmentId, key.digest, key.sealed] as const;

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
      await database.query(insertKeyText, valuesOf(key));
    },

    async insertFirstKey(key: KeyRow): Promise<void> {
      await database.transaction(async (sql) => {
        // Two processes may start at once: the second waits here, then sees the first one's key.
        await sql.query('SELECT 1 FROM environments WHERE id = $1 FOR NO KEY UPDATE', [key.environmentId]);
        const live = await sql.query(
          'SELECT 1 FROM api_keys WHERE environment_id = $1 AND revoked_at IS NULL LIMIT 1',
          [key.environmentId],
        );
        if (live.length === 0) await sql.query(insertKeyText, valuesOf(key));
      });
    },

    async listLiveKeys() {
      const rows = await database.query<LiveKeyRow>(listLiveKeysText);
      return rows.map((row) => {
        const environment: Environment = { id: row.environment_id, name: row.environment_name };
        return { id: row.id, environment, digest: row.digest, sealed: row.sealed };
      });
    },
  };
}
