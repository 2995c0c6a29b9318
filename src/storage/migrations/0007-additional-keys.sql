-- An additional key is looked up by its digest and signs nothing, so its text is kept nowhere, sealed or not.
ALTER TABLE api_keys ALTER COLUMN sealed DROP NOT NULL;
ALTER TABLE api_keys
  ADD COLUMN name text,
  -- Null: a root key, which may do everything in its environment.
  ADD COLUMN scopes text[],
  -- A key that was rotated opens and verifies until then.
  ADD COLUMN grace_ends_at timestamptz(3),
  ADD CONSTRAINT api_keys_root_or_additional CHECK ((scopes IS NULL) = (sealed IS NOT NULL));

-- Tokens for one use that were used. A row is kept for a day longer than its token would be good without it.
CREATE TABLE used_tokens (
  -- SHA-256 of what the token's signature covers.
  digest bytea PRIMARY KEY,
  -- Which request has it: only that one may give it back.
  use_id text NOT NULL,
  kept_until timestamptz NOT NULL
);
CREATE INDEX used_tokens_kept_until ON used_tokens (kept_until);
