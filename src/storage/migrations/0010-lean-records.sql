ALTER TABLE records DROP CONSTRAINT records_session_id_fkey;
DROP INDEX records_from_client;
