-- What a session's agent last saved: opaque bytes, here or in an object store.
CREATE TABLE snapshots (
  session_id text PRIMARY KEY REFERENCES sessions,
  content_type text NOT NULL,
  body bytea,
  -- Names an object that is written once: a new snapshot gets a new name, and this row says which one counts.
  object_name text,
  stored_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  CHECK (num_nonnulls(body, object_name) = 1)
);
