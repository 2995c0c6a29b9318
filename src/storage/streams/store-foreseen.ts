/**
 * Appends that were planned before their locks, stored by one statement: it takes the locks, compares what the plans
 * rest on with what is there now, and does those that fit. A lone append is one round trip and no transaction block.
 *
 * R2 asks for a look in a new statement after the lock, because a snapshot is older than the wait for a lock. Here the
 * look for part ids is as old as the snapshot, and that is enough: a plan fits only if `next` under the lock is what was
 * known before the statement began, so whatever the stream holds was committed before its snapshot. What it compares
 * of rows that it locks is their newest version: a row that was changed meanwhile is compared again.
 */
import type { Sql, SqlRow, Statement } from '../database.ts';
import type { ForeseenPlan } from './foresee.ts';
import { joinRecordOfPartSql } from './look.ts';
import { insertRecordsSql, recordColumns } from './record-columns.ts';

/** What no plan is of is left out. */
const movedOutSql = `, moved_out AS (
    UPDATE outs o SET next = fit.next, settled = CASE WHEN fit.settled < 0 THEN o.settled ELSE fit.settled = 1 END
    FROM fit
    WHERE fit.stream = 'out' AND o.session_id = ANY(ARRAY[fit.session_id])
      AND (o.next, o.trimmed_before, o.fence_run, o.fence_attempt, o.waited_for)::text = fit.known_place
    RETURNING fit.no
  )`;

// Each gate by its key, whatever the planner makes of the sizes of arrays and tables. `IS TRUE` keeps the test of a
// record's plan a look into a hash; as a join it went through all plans for each record, 0.04 ms of 500 sessions' 0.1.
const foreseenSql = (hasOut: boolean): string => `
  WITH repeated AS MATERIALIZED (
    SELECT part.plan_no
    FROM unnest($1::int[], $2::text[], $3::text[], $4::text[]) AS part (plan_no, session_id, stream, part_id)${joinRecordOfPartSql}
  ), clock AS MATERIALIZED (
    SELECT clock_timestamp()::timestamptz(3) AS now
  ), fit AS MATERIALIZED (
    SELECT plan.*
    FROM unnest($5::int[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::int[])
      AS plan (no, session_id, stream, known_gate, known_place, next, settled)
    CROSS JOIN LATERAL (
      SELECT g.*, (g.run_no, g.live, g.attempt, g.closed_at, g.expired_at)::text AS known FROM gates g
      WHERE g.session_id = plan.session_id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    ) g
    WHERE g.known = plan.known_gate AND (g.expires_at IS NULL OR g.expires_at > (SELECT now FROM clock))
      AND (plan.stream <> 'in' OR (g.next, g.waited_for)::text = plan.known_place)
      AND plan.no NOT IN (SELECT plan_no FROM repeated)
  ), moved_in AS (
    UPDATE gates g SET next = fit.next FROM fit WHERE fit.stream = 'in' AND g.session_id = ANY(ARRAY[fit.session_id])
    RETURNING fit.no
  )${hasOut ? movedOutSql : ''}, moved AS MATERIALIZED (
    SELECT no FROM moved_in${hasOut ? ' UNION ALL SELECT no FROM moved_out' : ''}
  ), stored AS (${insertRecordsSql}, greatest((SELECT now FROM clock), r.last_at)
    FROM unnest($12::timestamptz[], $13::text[], $14::text[], $15::int[], $16::bigint[], $17::text[], $18::text[], $19::text[], $20::int[], $21::text[])
      AS r (last_at, session_id, stream, plan_no, seq, part_id, headers, shown, is_hex, body)
    WHERE (r.plan_no IN (SELECT no FROM moved)) IS TRUE
  ) SELECT moved.no, clock.now FROM moved, clock`;

const foreseenSqls = { inOnly: foreseenSql(false), withOut: foreseenSql(true) } as const;

interface MovedRow extends SqlRow {
  no: number;
  now: Date;
}

/** Times of what was stored, in milliseconds, by place; those that were not as known, or not to be had, are left out. */
export async function storeForeseen(sql: Sql, plans: readonly ForeseenPlan[]): Promise<ReadonlyMap<number, number>> {
  const { text, values } = foreseenStatement(plans);
  const rows = await sql.query<MovedRow>(text, values);
  return new Map(rows.map(({ no, now }) => [no - 1, Math.max(now.getTime(), plans[no - 1]?.known.lastAtMs ?? 0)]));
}

function foreseenStatement(plans: readonly ForeseenPlan[]): Statement {
  const records = plans.flatMap(({ sessionId, stream, known: { lastAtMs }, records: ofPlan }, order) =>
    ofPlan.map(({ partId }) => ({ sessionId, stream, planNo: order + 1, partId, lastAtMs })),
  );
  const parts = records.filter(({ partId }) => partId !== null);
  return {
    text: plans.some(({ stream }) => stream === 'out') ? foreseenSqls.withOut : foreseenSqls.inOnly,
    values: [
      parts.map(({ planNo }) => planNo),
      parts.map(({ sessionId }) => sessionId),
      parts.map(({ stream }) => stream),
      parts.map(({ partId }) => partId ?? ''),
      plans.map((_plan, order) => order + 1),
      plans.map(({ sessionId }) => sessionId),
      plans.map(({ stream }) => stream),
      plans.map(knownGate),
      plans.map(knownPlace),
      plans.map(({ plan }) => plan.next),
      plans.map(({ plan: { settled } }) => (settled === null ? -1 : Number(settled))),
      records.map(({ lastAtMs }) => new Date(lastAtMs).toISOString()),
      ...recordColumns(plans),
    ],
  };
}

/** Rows as the database writes them: the session is open, and nobody waits for a record. */
const knownGate = ({ known: { runNumber, live, attempt } }: ForeseenPlan): string =>
  `(${runNumber},${live ? 't' : 'f'},${attempt},,)`;

const knownPlace = ({ known: { next, trimmedBefore, fence } }: ForeseenPlan): string =>
  fence === null ? `(${next},f)` : `(${next},${trimmedBefore},${fence.runNumber},${fence.attempt ?? ''},f)`;
