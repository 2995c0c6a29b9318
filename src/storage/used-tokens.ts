/** Which tokens for one use have been used: one row each, so that of any number of processes one request gets it. */
import { usedTokenSlackSeconds, usedTokensSweptMax } from '../domain/limits.ts';
import type { Database } from './database.ts';

/**
 * One statement. Of two requests at once the second waits for the first one's row, and then inserts none. It also
 * clears marks of tokens that are long expired; rows that another use is clearing are left to it.
 */
const takeText = `
  WITH swept AS (
    DELETE FROM used_tokens WHERE digest IN (
      SELECT digest FROM used_tokens WHERE kept_until < clock_timestamp()
      ORDER BY kept_until LIMIT ${usedTokensSweptMax} FOR UPDATE SKIP LOCKED
    )
  )
  INSERT INTO used_tokens (digest, use_id, kept_until)
  VALUES ($1, $2, to_timestamp($3::double precision) + interval '${usedTokenSlackSeconds} seconds')
  ON CONFLICT (digest) DO NOTHING
  RETURNING digest`;

/** PostgreSQL's timestamps end in the year 294276; a token may say what it likes. */
const expiresAtMaxSeconds = 253_402_300_799;

export function sqlUsedTokens(database: Database) {
  return {
    /** False when another request has it, or had it. */
    async take(token: { readonly digest: Uint8Array; readonly expiresAtSeconds: number }, useId: string) {
      const expiresAt = Math.min(token.expiresAtSeconds, expiresAtMaxSeconds);
      const rows = await database.query(takeText, [token.digest, useId, expiresAt]);
      return rows.length === 1;
    },

    async giveBack(digest: Uint8Array, useId: string): Promise<void> {
      await database.query('DELETE FROM used_tokens WHERE digest = $1 AND use_id = $2', [digest, useId]);
    },
  };
}
