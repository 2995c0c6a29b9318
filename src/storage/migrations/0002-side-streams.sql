-- Named side channels of a session; the main pair's places are in `gates` and `outs`. Made by the first append.
CREATE TABLE side_streams (
  session_id text NOT NULL REFERENCES sessions,
  -- `<channel>/in` or `<channel>/out`, as in `records`.
  stream text NOT NULL,
  next bigint NOT NULL DEFAULT 0,
  settled boolean NOT NULL DEFAULT false,
  trimmed_before bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (session_id, stream)
) WITH (fillfactor = 50);
