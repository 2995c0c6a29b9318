-- A run may wait on a session that does not exist yet: the wait then names the workflow that will own it, and belongs to
-- the session once somebody has seen its row.
ALTER TABLE waitpoints
  ALTER COLUMN session_id DROP NOT NULL,
  ADD COLUMN awaited_workflow_id text,
  ADD CONSTRAINT waitpoints_one_session CHECK ((session_id IS NULL) <> (awaited_workflow_id IS NULL));
CREATE UNIQUE INDEX waitpoints_awaited_idempotency ON waitpoints (awaited_workflow_id, stream, idempotency_digest)
  WHERE awaited_workflow_id IS NOT NULL AND idempotency_digest IS NOT NULL;
CREATE INDEX waitpoints_awaited ON waitpoints (awaited_workflow_id, stream)
  WHERE awaited_workflow_id IS NOT NULL AND state = 'pending';
