CREATE TABLE api_keys (
  id text NOT NULL,
  environment_id text NOT NULL,
  digest bytea NOT NULL,
  sealed bytea,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  revoked_at timestamp with time zone,
  name text,
  scopes text[],
  grace_ends_at timestamp(3) with time zone,
  CONSTRAINT api_keys_pkey PRIMARY KEY (id),
  CONSTRAINT api_keys_digest_key UNIQUE (digest),
  CONSTRAINT api_keys_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id),
  CONSTRAINT api_keys_root_or_additional CHECK (((scopes IS NULL) = (sealed IS NOT NULL)))
);
CREATE INDEX api_keys_environment ON api_keys USING btree (environment_id);

CREATE TABLE environments (
  id text NOT NULL,
  name text NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT environments_pkey PRIMARY KEY (id),
  CONSTRAINT environments_name_key UNIQUE (name)
);

CREATE TABLE gates (
  session_id text NOT NULL,
  owner text NOT NULL,
  owner_started_at timestamp(3) with time zone NOT NULL,
  run_no integer NOT NULL DEFAULT 1,
  live boolean NOT NULL DEFAULT true,
  attempt integer NOT NULL DEFAULT 0,
  began bigint,
  consumed bigint NOT NULL DEFAULT 0,
  next bigint NOT NULL DEFAULT 0,
  wake_after integer,
  barren integer NOT NULL DEFAULT 0,
  closed_at timestamp(3) with time zone,
  closed_reason text,
  expires_at timestamp(3) with time zone,
  expired_at timestamp(3) with time zone,
  waited_for boolean NOT NULL DEFAULT false,
  CONSTRAINT gates_pkey PRIMARY KEY (session_id),
  CONSTRAINT gates_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id)
) WITH (fillfactor=50);
CREATE INDEX gates_expiring ON gates USING btree (expires_at) WHERE ((closed_at IS NULL) AND (expired_at IS NULL));
CREATE INDEX gates_woken ON gates USING btree (session_id) WHERE ((wake_after = run_no) AND (NOT live) AND (closed_at IS NULL) AND (expired_at IS NULL));

CREATE TABLE outs (
  session_id text NOT NULL,
  next bigint NOT NULL DEFAULT 0,
  settled boolean NOT NULL DEFAULT false,
  trimmed_before bigint NOT NULL DEFAULT 0,
  fence_run integer NOT NULL DEFAULT 1,
  fence_attempt integer DEFAULT 0,
  waited_for boolean NOT NULL DEFAULT false,
  CONSTRAINT outs_pkey PRIMARY KEY (session_id),
  CONSTRAINT outs_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id)
) WITH (fillfactor=50);

CREATE TABLE rate_limits (
  key character varying(255) NOT NULL,
  points integer NOT NULL DEFAULT 0,
  expire bigint,
  CONSTRAINT rate_limits_pkey PRIMARY KEY (key)
);

CREATE TABLE records (
  session_id text NOT NULL,
  stream text NOT NULL,
  seq bigint NOT NULL,
  part_id text,
  from_client boolean NOT NULL,
  headers json,
  body bytea NOT NULL,
  created_at timestamp(3) with time zone NOT NULL DEFAULT clock_timestamp(),
  shown text,
  CONSTRAINT records_pkey PRIMARY KEY (session_id, stream, seq),
  CONSTRAINT records_session_id_stream_part_id_key UNIQUE (session_id, stream, part_id)
);

CREATE TABLE runs (
  id text NOT NULL,
  session_id text NOT NULL,
  no integer NOT NULL,
  environment_id text NOT NULL,
  status text NOT NULL DEFAULT 'QUEUED'::text,
  reason text NOT NULL,
  request_key text,
  task_identifier text NOT NULL,
  payload json NOT NULL,
  options json NOT NULL,
  triggered_at_seq bigint NOT NULL DEFAULT 0,
  attempts integer NOT NULL DEFAULT 0,
  output json,
  error json,
  created_at timestamp(3) with time zone NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamp(3) with time zone NOT NULL DEFAULT clock_timestamp(),
  started_at timestamp(3) with time zone,
  finished_at timestamp(3) with time zone,
  CONSTRAINT runs_pkey PRIMARY KEY (id),
  CONSTRAINT runs_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id),
  CONSTRAINT runs_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id),
  CONSTRAINT runs_session_id_no_key UNIQUE (session_id, no)
);
CREATE INDEX runs_unfinished ON runs USING btree (session_id) WHERE (finished_at IS NULL);

CREATE TABLE schema_migrations (
  version integer NOT NULL,
  name text NOT NULL,
  digest text NOT NULL,
  applied_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT schema_migrations_pkey PRIMARY KEY (version)
);

CREATE TABLE session_tags (
  environment_id text NOT NULL,
  tag text NOT NULL,
  created_at timestamp(3) with time zone NOT NULL,
  session_id text NOT NULL,
  type text NOT NULL,
  task_identifier text NOT NULL,
  state text NOT NULL DEFAULT 'open'::text,
  CONSTRAINT session_tags_pkey PRIMARY KEY (session_id, tag),
  CONSTRAINT session_tags_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id),
  CONSTRAINT session_tags_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id)
);
CREATE INDEX session_tags_by_state ON session_tags USING btree (environment_id, tag, state, created_at DESC, session_id DESC);
CREATE INDEX session_tags_by_task ON session_tags USING btree (environment_id, tag, task_identifier, state, created_at DESC, session_id DESC);
CREATE INDEX session_tags_by_task_and_type ON session_tags USING btree (environment_id, tag, task_identifier, type, state, created_at DESC, session_id DESC);
CREATE INDEX session_tags_by_type ON session_tags USING btree (environment_id, tag, type, state, created_at DESC, session_id DESC);
CREATE INDEX session_tags_newest ON session_tags USING btree (environment_id, tag, created_at DESC, session_id DESC);

CREATE TABLE sessions (
  id text NOT NULL,
  environment_id text NOT NULL,
  workflow_id text NOT NULL,
  external_id text,
  type text NOT NULL,
  task_identifier text NOT NULL,
  trigger_config json NOT NULL,
  tags text[] NOT NULL,
  metadata json,
  request_key text NOT NULL,
  created_at timestamp(3) with time zone NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamp(3) with time zone NOT NULL DEFAULT clock_timestamp(),
  state text NOT NULL DEFAULT 'open'::text,
  expires_at timestamp(3) with time zone,
  CONSTRAINT sessions_pkey PRIMARY KEY (id),
  CONSTRAINT sessions_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id),
  CONSTRAINT sessions_workflow_id_key UNIQUE (workflow_id)
);
CREATE INDEX sessions_by_state ON sessions USING btree (environment_id, state, created_at DESC, id DESC);
CREATE INDEX sessions_by_task ON sessions USING btree (environment_id, task_identifier, state, created_at DESC, id DESC);
CREATE INDEX sessions_by_task_and_type ON sessions USING btree (environment_id, task_identifier, type, state, created_at DESC, id DESC);
CREATE INDEX sessions_by_type ON sessions USING btree (environment_id, type, state, created_at DESC, id DESC);
CREATE INDEX sessions_expiring ON sessions USING btree (environment_id, expires_at) WHERE ((state = 'open'::text) AND (expires_at IS NOT NULL));
CREATE INDEX sessions_newest ON sessions USING btree (environment_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX sessions_external_id ON sessions USING btree (environment_id, external_id) WHERE (external_id IS NOT NULL);

CREATE TABLE side_streams (
  session_id text NOT NULL,
  stream text NOT NULL,
  next bigint NOT NULL DEFAULT 0,
  settled boolean NOT NULL DEFAULT false,
  trimmed_before bigint NOT NULL DEFAULT 0,
  CONSTRAINT side_streams_pkey PRIMARY KEY (session_id, stream),
  CONSTRAINT side_streams_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id)
) WITH (fillfactor=50);

CREATE TABLE snapshots (
  session_id text NOT NULL,
  content_type text NOT NULL,
  body bytea,
  object_name text,
  stored_at timestamp(3) with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT snapshots_pkey PRIMARY KEY (session_id),
  CONSTRAINT snapshots_check CHECK ((num_nonnulls(body, object_name) = 1)),
  CONSTRAINT snapshots_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id)
);

CREATE TABLE used_tokens (
  digest bytea NOT NULL,
  use_id text NOT NULL,
  kept_until timestamp with time zone NOT NULL,
  CONSTRAINT used_tokens_pkey PRIMARY KEY (digest)
);
CREATE INDEX used_tokens_kept_until ON used_tokens USING btree (kept_until);

CREATE TABLE waitpoints (
  id text NOT NULL,
  environment_id text NOT NULL,
  session_id text,
  stream text NOT NULL,
  run_id text NOT NULL,
  after_seq bigint NOT NULL,
  state text NOT NULL,
  record_seq bigint,
  timeout_at timestamp(3) with time zone,
  idempotency_digest text,
  idempotency_expires_at timestamp(3) with time zone,
  tags text[] NOT NULL,
  created_at timestamp(3) with time zone NOT NULL DEFAULT clock_timestamp(),
  completed_at timestamp(3) with time zone,
  awaited_workflow_id text,
  CONSTRAINT waitpoints_pkey PRIMARY KEY (id),
  CONSTRAINT waitpoints_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id),
  CONSTRAINT waitpoints_one_session CHECK (((session_id IS NULL) <> (awaited_workflow_id IS NULL))),
  CONSTRAINT waitpoints_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(id),
  CONSTRAINT waitpoints_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id)
);
CREATE INDEX waitpoints_awaited ON waitpoints USING btree (awaited_workflow_id, stream) WHERE ((awaited_workflow_id IS NOT NULL) AND (state = 'pending'::text));
CREATE INDEX waitpoints_completed ON waitpoints USING btree (completed_at) WHERE (completed_at IS NOT NULL);
CREATE INDEX waitpoints_due ON waitpoints USING btree (timeout_at) WHERE ((state = 'pending'::text) AND (timeout_at IS NOT NULL));
CREATE INDEX waitpoints_pending ON waitpoints USING btree (session_id, stream) WHERE (state = 'pending'::text);
CREATE UNIQUE INDEX waitpoints_awaited_idempotency ON waitpoints USING btree (awaited_workflow_id, stream, idempotency_digest) WHERE ((awaited_workflow_id IS NOT NULL) AND (idempotency_digest IS NOT NULL));
CREATE UNIQUE INDEX waitpoints_idempotency ON waitpoints USING btree (session_id, stream, idempotency_digest) WHERE (idempotency_digest IS NOT NULL);

CREATE OR REPLACE FUNCTION copy_gate_marks()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE sessions
  SET expires_at = NEW.expires_at,
    state = CASE WHEN NEW.closed_at IS NOT NULL THEN 'closed' WHEN NEW.expired_at IS NOT NULL THEN 'expired' ELSE 'open' END
  WHERE id = NEW.session_id;
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION copy_state()
 RETURNS trigger
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
BEGIN
  UPDATE session_tags SET state = NEW.state WHERE session_id = NEW.id;
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION copy_tags()
 RETURNS trigger
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM session_tags WHERE session_id = OLD.id;
  END IF;
  INSERT INTO session_tags (environment_id, tag, created_at, session_id, type, task_identifier, state)
  SELECT DISTINCT NEW.environment_id, tag, NEW.created_at, NEW.id, NEW.type, NEW.task_identifier, NEW.state
  FROM unnest(NEW.tags) AS tag;
  RETURN NULL;
END $function$;
