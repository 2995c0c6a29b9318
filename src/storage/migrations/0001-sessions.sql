-- Environments and the keys that open them.
CREATE TABLE environments (
  id text PRIMARY KEY,
  name text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE api_keys (
  id text PRIMARY KEY,
  environment_id text NOT NULL REFERENCES environments,
  -- Look-up is by digest; the text itself must be recoverable, because clients sign tokens with it.
  digest bytea NOT NULL UNIQUE,
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  revoked_at timestamptz
);
CREATE INDEX api_keys_environment ON api_keys (environment_id);

-- The wide row: what callers read. Never locked by an append.
CREATE TABLE sessions (
  id text PRIMARY KEY,
  environment_id text NOT NULL REFERENCES environments,
  workflow_id text NOT NULL UNIQUE,
  external_id text,
  type text NOT NULL,
  task_identifier text NOT NULL,
  -- json, not jsonb: kept as it was sent, and an escaped U+0000 inside it is legal.
  trigger_config json NOT NULL,
  tags text[] NOT NULL,
  metadata json,
  request_key text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX sessions_external_id ON sessions (environment_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX sessions_newest ON sessions (environment_id, created_at DESC, id DESC);

-- The gate: stream row of `in` and the only lock of the lifecycle. Room is left for updates in place.
CREATE TABLE gates (
  session_id text PRIMARY KEY REFERENCES sessions,
  owner text NOT NULL,
  owner_started_at timestamptz(3) NOT NULL,
  run_no integer NOT NULL DEFAULT 1,
  live boolean NOT NULL DEFAULT true,
  attempt integer NOT NULL DEFAULT 0,
  began bigint,
  consumed bigint NOT NULL DEFAULT 0,
  next bigint NOT NULL DEFAULT 0,
  wake_after integer,
  barren integer NOT NULL DEFAULT 0,
  closed_at timestamptz(3),
  closed_reason text,
  expires_at timestamptz(3),
  expired_at timestamptz(3)
) WITH (fillfactor = 50);
-- What the reconciler looks for. In a healthy system the first holds nothing; neither is touched by an append to a live run.
CREATE INDEX gates_woken ON gates (session_id) WHERE wake_after = run_no AND NOT live AND closed_at IS NULL AND expired_at IS NULL;
CREATE INDEX gates_expiring ON gates (expires_at) WHERE closed_at IS NULL AND expired_at IS NULL;

-- The `out` stream; its fence names the one attempt that may write.
CREATE TABLE outs (
  session_id text PRIMARY KEY REFERENCES sessions,
  next bigint NOT NULL DEFAULT 0,
  settled boolean NOT NULL DEFAULT false,
  trimmed_before bigint NOT NULL DEFAULT 0,
  fence_run integer NOT NULL DEFAULT 1,
  -- Null: shut, the run has ended.
  fence_attempt integer DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE runs (
  id text PRIMARY KEY,
  session_id text NOT NULL REFERENCES sessions,
  no integer NOT NULL,
  environment_id text NOT NULL REFERENCES environments,
  status text NOT NULL DEFAULT 'QUEUED',
  reason text NOT NULL,
  -- Of the request that asked for exactly this run (create, hand-over); null for a continuation.
  request_key text,
  task_identifier text NOT NULL,
  payload json NOT NULL,
  options json NOT NULL,
  -- `next` of `in` when the run was triggered: where a run that never claims counts as begun.
  triggered_at_seq bigint NOT NULL DEFAULT 0,
  attempts integer NOT NULL DEFAULT 0,
  output json,
  error json,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  UNIQUE (session_id, no)
);
CREATE INDEX runs_unfinished ON runs (session_id) WHERE finished_at IS NULL;

-- One record of a stream: `in`, `out`, or a side channel's.
CREATE TABLE records (
  session_id text NOT NULL REFERENCES sessions,
  stream text NOT NULL,
  seq bigint NOT NULL,
  part_id text,
  -- A client's record obliges a run to meet it; the server's own wake record does not.
  from_client boolean NOT NULL,
  headers json,
  -- Bytes: a trim command carries eight that are not text.
  body bytea NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (session_id, stream, seq),
  UNIQUE (session_id, stream, part_id)
);
CREATE INDEX records_from_client ON records (session_id, seq) WHERE stream = 'in' AND from_client;
