-- The list filters by what the gate knows, so the wide row has copies; see docs/decisions/0020-list-pages.md.
ALTER TABLE sessions
  -- 'open', 'closed' or 'expired', as the gate's marks say. The clock alone moves nothing here.
  ADD COLUMN state text NOT NULL DEFAULT 'open',
  ADD COLUMN expires_at timestamptz(3);

UPDATE sessions s
SET expires_at = g.expires_at,
  state = CASE WHEN g.closed_at IS NOT NULL THEN 'closed' WHEN g.expired_at IS NOT NULL THEN 'expired' ELSE 'open' END
FROM gates g
WHERE g.session_id = s.id AND (g.closed_at IS NOT NULL OR g.expired_at IS NOT NULL OR g.expires_at IS NOT NULL);

-- Triggers, so that whoever writes a gate's marks cannot forget the copy. An append names none of these columns.
CREATE FUNCTION copy_gate_marks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE sessions
  SET expires_at = NEW.expires_at,
    state = CASE WHEN NEW.closed_at IS NOT NULL THEN 'closed' WHEN NEW.expired_at IS NOT NULL THEN 'expired' ELSE 'open' END
  WHERE id = NEW.session_id;
  RETURN NULL;
END $$;
CREATE TRIGGER gates_marked AFTER UPDATE OF closed_at, expires_at, expired_at ON gates
  FOR EACH ROW EXECUTE FUNCTION copy_gate_marks();
CREATE TRIGGER gates_made AFTER INSERT ON gates
  FOR EACH ROW WHEN (NEW.expires_at IS NOT NULL) EXECUTE FUNCTION copy_gate_marks();

-- Each is the order of the list below one value of a filter: a page is read off its start.
CREATE INDEX sessions_by_state ON sessions (environment_id, state, created_at DESC, id DESC);
CREATE INDEX sessions_by_task ON sessions (environment_id, task_identifier, state, created_at DESC, id DESC);
CREATE INDEX sessions_by_type ON sessions (environment_id, type, state, created_at DESC, id DESC);
-- Past their expiry and not marked yet: the workflow's timer leaves a second's worth of them.
CREATE INDEX sessions_expiring ON sessions (environment_id, expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;

-- The same for tags, of which a session has several.
CREATE TABLE session_tags (
  environment_id text NOT NULL REFERENCES environments,
  tag text NOT NULL,
  created_at timestamptz(3) NOT NULL,
  session_id text NOT NULL REFERENCES sessions,
  PRIMARY KEY (environment_id, tag, created_at, session_id)
);
INSERT INTO session_tags (environment_id, tag, created_at, session_id)
SELECT DISTINCT environment_id, tag, created_at, id FROM sessions, unnest(tags) AS tag;

CREATE FUNCTION copy_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM session_tags
    WHERE environment_id = OLD.environment_id AND tag = ANY (OLD.tags) AND created_at = OLD.created_at
      AND session_id = OLD.id;
  END IF;
  INSERT INTO session_tags (environment_id, tag, created_at, session_id)
  SELECT DISTINCT NEW.environment_id, tag, NEW.created_at, NEW.id FROM unnest(NEW.tags) AS tag;
  RETURN NULL;
END $$;
CREATE TRIGGER sessions_made AFTER INSERT ON sessions
  FOR EACH ROW WHEN (cardinality(NEW.tags) > 0) EXECUTE FUNCTION copy_tags();
CREATE TRIGGER sessions_tagged AFTER UPDATE OF tags ON sessions
  FOR EACH ROW WHEN (NEW.tags IS DISTINCT FROM OLD.tags) EXECUTE FUNCTION copy_tags();
