-- Filters of the list that are given together: below each combination the list's own order, so that a second filter
-- is looked up and not tested row by row. The tags' rows carry what else is filtered by; see docs/decisions/0020-list-pages.md.
ALTER TABLE session_tags
  ADD COLUMN type text,
  ADD COLUMN task_identifier text,
  ADD COLUMN state text NOT NULL DEFAULT 'open';

UPDATE session_tags t SET type = s.type, task_identifier = s.task_identifier, state = s.state
FROM sessions s WHERE s.id = t.session_id;

ALTER TABLE session_tags
  ALTER COLUMN type SET NOT NULL,
  ALTER COLUMN task_identifier SET NOT NULL,
  DROP CONSTRAINT session_tags_pkey,
  ADD PRIMARY KEY (session_id, tag);

CREATE INDEX sessions_by_task_and_type
  ON sessions (environment_id, task_identifier, type, state, created_at DESC, id DESC);
CREATE INDEX session_tags_newest ON session_tags (environment_id, tag, created_at DESC, session_id DESC);
CREATE INDEX session_tags_by_state ON session_tags (environment_id, tag, state, created_at DESC, session_id DESC);
CREATE INDEX session_tags_by_task
  ON session_tags (environment_id, tag, task_identifier, state, created_at DESC, session_id DESC);
CREATE INDEX session_tags_by_type ON session_tags (environment_id, tag, type, state, created_at DESC, session_id DESC);
CREATE INDEX session_tags_by_task_and_type
  ON session_tags (environment_id, tag, task_identifier, type, state, created_at DESC, session_id DESC);

-- A plan that is kept from when the table was small reads the whole of it.
CREATE OR REPLACE FUNCTION copy_tags() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM session_tags WHERE session_id = OLD.id;
  END IF;
  INSERT INTO session_tags (environment_id, tag, created_at, session_id, type, task_identifier, state)
  SELECT DISTINCT NEW.environment_id, tag, NEW.created_at, NEW.id, NEW.type, NEW.task_identifier, NEW.state
  FROM unnest(NEW.tags) AS tag;
  RETURN NULL;
END $$;

-- Type and task of a session never change; its state does, and of a change of tags the trigger above copies it.
CREATE FUNCTION copy_state() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
BEGIN
  UPDATE session_tags SET state = NEW.state WHERE session_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER sessions_ended AFTER UPDATE OF state ON sessions
  FOR EACH ROW WHEN (NEW.state IS DISTINCT FROM OLD.state AND cardinality(NEW.tags) > 0) EXECUTE FUNCTION copy_state();
