/**
 * A batch of appends, for many streams at once: lock, look in new statements, let the domain plan, apply in one
 * statement. Locks are taken gates first, then `outs`, then side streams, each in the order of their keys.
 */
import { type AppendPlan, planAppend } from '../../domain/append.ts';
import { stateOf } from '../../domain/gate.ts';
import type { SessionId } from '../../domain/ids.ts';
import { kindOf, type StreamName } from '../../domain/stream.ts';
import type { AppendAnswer, RecordToAppend } from '../../sessions/ports.ts';
import type { Database, Sql } from '../database.ts';
import { expireIfPast } from '../transitions/expire-gate.ts';
import { type LockedGate, lockGates } from '../transitions/gate-row.ts';
import { completeByRecords, type StoredSpan } from '../waitpoints/complete.ts';
import { applyPlans, type PlannedRecord } from './apply.ts';

/** The arrivals of one stream, in order; `index` is the place in the batch. */
interface StreamArrivals {
  readonly sessionId: SessionId;
  readonly stream: StreamName;
  readonly arrivals: readonly { readonly index: number; readonly record: RecordToAppend }[];
}

export function appendBatch(
  db: Database,
  records: readonly RecordToAppend[],
  wait: boolean,
): Promise<readonly (AppendAnswer | 'busy')[]> {
  const streams = byStream(records);
  return db.transaction(async (sql) => {
    const gates = await lockGates(sql, [...new Set(records.map(({ sessionId }) => sessionId))], wait);
    const held = streams.filter(({ sessionId }) => gates.has(sessionId));
    if (wait && held.length < streams.length) throw new Error('a record was appended to a session without a gate');
    const answers: (AppendAnswer | 'busy')[] = records.map(() => 'busy');
    if (held.length === 0) return answers;
    const places = await lockPlaces(sql, held, gates);
    const { now, seqOfPart } = await look(sql, held);
    const current = await expirePast(sql, gates, now);
    const planned = held.map((stream) => {
      const gate = gateAmong(current, stream.sessionId);
      const key = keyOf(stream);
      const plan = planAppend(gate, {
        stream: stream.stream,
        next: stream.stream === 'in' ? gate.next : (places.get(key)?.next ?? 0),
        partIds: stream.arrivals.map(({ record }) => record.partId),
        seqOfPart: seqOfPart.get(key) ?? new Map(),
        now,
      });
      const waitedFor = stream.stream === 'in' ? gate.waitedFor : places.get(key)?.waitedFor === true;
      return { stream, plan, waitedFor };
    });
    const times = await applyPlans(sql, planned.flatMap(toApply), now);
    const woken = await completeByRecords(sql, planned.flatMap(spanOf));
    for (const { stream, plan } of planned) answerInto(answers, { stream, plan, times, woken });
    return answers;
  });
}

const keyOf = ({ sessionId, stream }: { sessionId: string; stream: string }): string => `${sessionId}/${stream}`;

function byStream(records: readonly RecordToAppend[]): readonly StreamArrivals[] {
  const streams = new Map<string, StreamArrivals & { arrivals: { index: number; record: RecordToAppend }[] }>();
  records.forEach((record, index) => {
    const { sessionId, stream } = record;
    const found = streams.get(keyOf(record)) ?? { sessionId, stream, arrivals: [] };
    found.arrivals.push({ index, record });
    streams.set(keyOf(record), found);
  });
  return [...streams.values()];
}

function gateAmong(gates: ReadonlyMap<SessionId, LockedGate>, sessionId: SessionId): LockedGate {
  const gate = gates.get(sessionId);
  if (gate === undefined) throw new Error(`the gate of ${sessionId} is not held`);
  return gate;
}

/** Next seq of every stream but `in`, whose place is the gate. An expiry writes to `out`, so it is locked for that too. */
async function lockPlaces(
  sql: Sql,
  streams: readonly StreamArrivals[],
  gates: ReadonlyMap<SessionId, LockedGate>,
): Promise<ReadonlyMap<string, Place>> {
  const mayExpire = [...gates.values()].filter(({ expiresAt, expiredAt }) => expiresAt !== null && expiredAt === null);
  const writing = streams.filter(({ stream }) => stream === 'out');
  const outs = [...new Set([...mayExpire, ...writing].map(({ sessionId }) => sessionId))];
  const sides = streams.filter(({ stream }) => kindOf(stream) === 'side');
  const places = new Map<string, Place>();
  const keep = (rows: readonly PlaceRow[]): void =>
    rows.forEach(({ session_id: sessionId, stream, next, waited_for: waitedFor }) =>
      places.set(keyOf({ sessionId, stream }), { next, waitedFor }),
    );
  if (outs.length > 0) keep(await sql.query<PlaceRow>(lockOutsSql, [outs]));
  if (sides.length > 0) {
    const keys = [sides.map(({ sessionId }) => sessionId), sides.map(({ stream }) => stream)];
    await sql.query(addSidesSql, keys);
    keep(await sql.query<PlaceRow>(lockSidesSql, keys));
  }
  return places;
}

type PlaceRow = { session_id: string; stream: string; next: number; waited_for: boolean };

/** Where the next record of a stream goes, and whether somebody may wait for it. */
interface Place {
  readonly next: number;
  readonly waitedFor: boolean;
}

const lockOutsSql = `
  SELECT session_id, 'out' AS stream, next, waited_for FROM outs WHERE session_id = ANY($1) ORDER BY session_id FOR NO KEY UPDATE`;

const addSidesSql = `
  INSERT INTO side_streams (session_id, stream)
  SELECT session_id, stream FROM unnest($1::text[], $2::text[]) AS side (session_id, stream) ORDER BY 1, 2
  ON CONFLICT DO NOTHING`;

const lockSidesSql = `
  SELECT s.session_id, s.stream, s.next, false AS waited_for
  FROM side_streams s JOIN unnest($1::text[], $2::text[]) AS side (session_id, stream) USING (session_id, stream)
  ORDER BY s.session_id, s.stream
  FOR NO KEY UPDATE OF s`;

// The clock and the duplicates, in a statement begun after every lock was had (R2).
const lookSql = `
  SELECT clock.now, found.session_id, found.stream, found.part_id, found.seq
  FROM (SELECT clock_timestamp() AS now) clock LEFT JOIN (
    SELECT part.session_id, part.stream, part.part_id, r.seq
    FROM unnest($1::text[], $2::text[], $3::text[]) AS part (session_id, stream, part_id)
    -- The limit keeps the planner to one look into the index for each part id, instead of a scan of the table.
    CROSS JOIN LATERAL (
      SELECT seq FROM records r
      WHERE r.session_id = part.session_id AND r.stream = part.stream AND r.part_id = part.part_id LIMIT 1
    ) r
  ) found ON true`;

interface Look {
  readonly now: Date;
  readonly seqOfPart: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

async function look(sql: Sql, streams: readonly StreamArrivals[]): Promise<Look> {
  const parts = streams.flatMap(({ arrivals }) => arrivals.flatMap(({ record }) => partOf(record)));
  const rows = await sql.query<{ now: Date; session_id: string | null; stream: string; part_id: string; seq: number }>(
    lookSql,
    [parts.map((part) => part.sessionId), parts.map((part) => part.stream), parts.map((part) => part.partId)],
  );
  const now = rows[0]?.now;
  if (now === undefined) throw new Error('the database returned no clock');
  const seqOfPart = new Map<string, Map<string, number>>();
  for (const { session_id: sessionId, stream, part_id: partId, seq } of rows) {
    if (sessionId === null) continue;
    const key = keyOf({ sessionId, stream });
    seqOfPart.set(key, (seqOfPart.get(key) ?? new Map<string, number>()).set(partId, seq));
  }
  return { now, seqOfPart };
}

const partOf = ({ sessionId, stream, partId }: RecordToAppend) =>
  partId === null ? [] : [{ sessionId, stream, partId }];

/** V11: an expiry that only the clock shows is written down before anybody is told of it. */
async function expirePast(
  sql: Sql,
  gates: ReadonlyMap<SessionId, LockedGate>,
  now: Date,
): Promise<ReadonlyMap<SessionId, LockedGate>> {
  const current = new Map(gates);
  for (const [sessionId, gate] of gates) {
    if (stateOf(gate, now) === 'expired') current.set(sessionId, await expireIfPast(sql, gate, now));
  }
  return current;
}

interface PlannedStream {
  readonly stream: StreamArrivals;
  readonly plan: AppendPlan;
  readonly waitedFor: boolean;
}

interface Applied {
  readonly times: ReadonlyMap<string, number>;
  /** Sessions of which waitpoints were completed. */
  readonly woken: ReadonlySet<SessionId>;
}

function toApply({ stream, plan }: PlannedStream) {
  const records = stream.arrivals.flatMap(({ record }, order): PlannedRecord[] => {
    const outcome = plan.outcomes[order];
    return outcome?.kind === 'stored' ? [{ ...record, seq: outcome.seq }] : [];
  });
  if (records.length === 0 && plan.wakeAfter === null) return [];
  return [{ sessionId: stream.sessionId, stream: stream.stream, next: plan.next, wakeAfter: plan.wakeAfter, records }];
}

/** What a planned stream gets, for those who wait; records of side channels wake nobody. */
function spanOf({ stream: { sessionId, stream }, plan, waitedFor }: PlannedStream): readonly StoredSpan[] {
  const seqs = plan.outcomes.flatMap((outcome) => (outcome.kind === 'stored' ? [outcome.seq] : []));
  const [firstSeq] = seqs;
  if (!waitedFor || firstSeq === undefined || (stream !== 'in' && stream !== 'out')) return [];
  return [{ sessionId, stream, firstSeq, lastSeq: seqs.at(-1) ?? firstSeq }];
}

function answerInto(
  answers: (AppendAnswer | 'busy')[],
  { stream, plan, times, woken }: Omit<PlannedStream, 'waitedFor'> & Applied,
): void {
  stream.arrivals.forEach(({ index }, order) => {
    const outcome = plan.outcomes[order];
    if (outcome === undefined) throw new Error('a record has no outcome');
    const atMs = outcome.kind === 'stored' ? (times.get(`${keyOf(stream)}/${outcome.seq}`) ?? 0) : 0;
    answers[index] = { outcome, atMs, wakeAfter: plan.wakeAfter, completedWaits: woken.has(stream.sessionId) };
  });
}
