-- Waits of runs for a stream's next record. Registered and completed under the lock that an append to the stream takes:
-- the gate for `in`, and the row in `outs` as well for `out`.
CREATE TABLE waitpoints (
  id text PRIMARY KEY,
  environment_id text NOT NULL REFERENCES environments,
  session_id text NOT NULL REFERENCES sessions,
  -- 'in' or 'out': records of side channels complete nothing.
  stream text NOT NULL,
  run_id text NOT NULL REFERENCES runs,
  -- The first record after it completes the waitpoint; -1 for any record.
  after_seq bigint NOT NULL,
  -- 'pending', or what completed it: 'record', 'timeout', 'ended' (nothing more can come).
  state text NOT NULL,
  record_seq bigint,
  timeout_at timestamptz(3),
  -- Of a caller's key, which may be longer than an index entry can be.
  idempotency_digest text,
  idempotency_expires_at timestamptz(3),
  tags text[] NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  completed_at timestamptz(3)
);
CREATE UNIQUE INDEX waitpoints_idempotency ON waitpoints (session_id, stream, idempotency_digest)
  WHERE idempotency_digest IS NOT NULL;
CREATE INDEX waitpoints_pending ON waitpoints (session_id, stream) WHERE state = 'pending';
CREATE INDEX waitpoints_due ON waitpoints (timeout_at) WHERE state = 'pending' AND timeout_at IS NOT NULL;
CREATE INDEX waitpoints_completed ON waitpoints (completed_at) WHERE completed_at IS NOT NULL;

-- Whether a waitpoint of the stream may be pending: an append looks for them only then.
ALTER TABLE gates ADD COLUMN waited_for boolean NOT NULL DEFAULT false;
ALTER TABLE outs ADD COLUMN waited_for boolean NOT NULL DEFAULT false;
