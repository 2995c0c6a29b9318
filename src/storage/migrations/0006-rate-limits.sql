-- Counts of the rate limits that processes share; see docs/recipes/operate.md. Unlogged: a crash forgives.
CREATE UNLOGGED TABLE rate_limits (
  key varchar(255) PRIMARY KEY,
  points integer NOT NULL DEFAULT 0,
  -- Milliseconds since 1970.
  expire bigint
);
