/**
 * Takes away what a trim has hidden, once nobody can still repeat the append that stored it: a repetition is found by
 * its first record. So a stream keeps about a turn, and what was trimmed in the last minutes.
 */
import { partIdKeptSeconds, repeatedAppendSeconds, trimDeletesMax } from '../../domain/limits.ts';
import { callerPartIdPattern } from '../../domain/record.ts';
import type { Sql } from '../database.ts';
import type { StreamPlan } from './apply.ts';

const discardSql = `
  DELETE FROM records WHERE session_id = $1 AND stream = $2 AND seq = ANY (ARRAY(
    SELECT seq FROM (
      SELECT seq, part_id, created_at FROM records
      WHERE session_id = $1 AND stream = $2 AND seq < $3 AND created_at < $4::timestamptz - make_interval(secs => $5)
      ORDER BY seq LIMIT ${trimDeletesMax}
    ) hidden
    WHERE part_id IS NULL OR part_id !~ $7 OR created_at < $4::timestamptz - make_interval(secs => $6)
  ))`;

export async function discardTrimmed(sql: Sql, plan: StreamPlan, now: Date): Promise<void> {
  await sql.query(discardSql, [
    plan.sessionId,
    plan.stream,
    plan.trimmedBefore,
    now,
    repeatedAppendSeconds,
    partIdKeptSeconds,
    callerPartIdPattern,
  ]);
}
