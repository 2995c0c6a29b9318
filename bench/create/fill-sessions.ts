/** Sessions by the hundred thousand, as so many creates would have left them, all with a live run. */
import { query } from '../engines.ts';

/** Into a migrated database in which the dev environment exists. */
export async function fillSessions(databaseUrl: string, sessions: number): Promise<void> {
  await query(
    databaseUrl,
    `BEGIN;
     INSERT INTO sessions (id, environment_id, workflow_id, external_id, type, task_identifier, trigger_config, tags, request_key)
       SELECT 'session_' || left(md5(n::text), 25), e.id, 'session/dev/filled_' || n, 'filled_' || n, 'chat.agent', 'my-chat',
         json_build_object('basePayload', json_build_object('chatId', 'filled_' || n)), ARRAY['filled'], 'filled_' || n
       FROM generate_series(1, ${sessions}) AS n, environments AS e WHERE e.name = 'dev';
     INSERT INTO gates (session_id, owner, owner_started_at) SELECT id, md5(id), clock_timestamp() FROM sessions;
     INSERT INTO outs (session_id) SELECT id FROM sessions;
     INSERT INTO runs (id, session_id, no, environment_id, reason, task_identifier, payload, options)
       SELECT 'run_' || md5(id), id, 1, environment_id, 'initial', task_identifier, '{}', '{"tags":[]}' FROM sessions;
     COMMIT;
     ANALYZE;`,
  );
  const [row] = await query<{ filled: number }>(databaseUrl, 'SELECT count(*)::int AS filled FROM runs');
  if (row?.filled !== sessions) throw new Error(`${row?.filled} of ${sessions} sessions were filled in`);
  // What the fill left in memory is not written out while something is measured.
  await query(databaseUrl, 'CHECKPOINT');
}
