/**
 * A batch of appends whose course is not known before, for many streams at once: lock, look in new statements, let the
 * domain plan, apply in one statement. Locks are taken gates first, then `outs`, then side streams, each in the order of
 * their keys.
 */
import { type AppendPlan, planAppend } from '../../domain/append.ts';
import type { Fence } from '../../domain/attempt.ts';
import { isOpen, stateOf } from '../../domain/gate.ts';
import type { SessionId } from '../../domain/ids.ts';
import { isCommand } from '../../domain/record.ts';
import type { Append, AppendAnswer } from '../../sessions/ports.ts';
import type { Database, TransactionSql } from '../database.ts';
import { expireIfPast } from '../transitions/expire-gate.ts';
import { type HeldGate, lockGates } from '../transitions/gate-row.ts';
import { completeByRecords, type StoredSpan } from '../waitpoints/complete.ts';
import { applyPlans, type StreamPlan } from './apply.ts';
import { byStream, keyOf, type StreamArrivals } from './arrivals.ts';
import { consumeIn } from './consume-in.ts';
import { discardTrimmed } from './discard-trimmed.ts';
import { type KnownStream, unclaimedRunOf } from './known-streams.ts';
import type { FirstStored } from './look.ts';
import { lockOutsStatement, lockSides, placeAmong } from './places.ts';
import { plannedRecords } from './record-columns.ts';
import { readStandings } from './standings.ts';
import { type Locks, takeLocks } from './take-locks.ts';

export interface LockedAppend {
  /** One for each append, in order. */
  readonly answers: readonly (AppendAnswer | 'busy')[];
  /** Streams as they are left, by stream; null for those whose next append cannot be foreseen. */
  readonly left: ReadonlyMap<string, KnownStream | null>;
}

export function appendUnderLocks(db: Database, appends: readonly Append[], wait: boolean): Promise<LockedAppend> {
  const streams = byStream(appends);
  return db.transaction(async (sql) => {
    const taken = await takeLocks(sql, streams, wait);
    const held = streams.filter(({ sessionId }) => taken.gates.has(sessionId));
    if (wait && held.length < streams.length) throw new Error('a record was appended to a session without a gate');
    const answers: (AppendAnswer | 'busy')[] = appends.map(() => 'busy');
    const left = new Map<string, KnownStream | null>(streams.map((stream) => [keyOf(stream), null]));
    if (held.length === 0) return { answers, left };
    const locks = await expirePast(sql, taken, held);
    const { gates, look } = locks;
    const places = { ...locks, places: new Map([...locks.places, ...(await lockSides(sql, held))]) };
    const standings = await readStandings(sql, held, places);
    const planned = held.map((arrivals) => {
      const firsts = look.firstOfPart.get(keyOf(arrivals)) ?? new Map<string, FirstStored>();
      const place = placeAmong(places, gates, arrivals);
      const gate = gateAmong(gates, arrivals.sessionId);
      const plan = planAppend(gate, {
        ...place,
        stream: arrivals.stream,
        arriving: arrivals.appends.map(({ index, append }) => ({
          ...append,
          standing: standings[index] ?? 'unfenced',
        })),
        seqOfPart: new Map([...firsts].map(([partId, { seq }]) => [partId, seq])),
        now: look.now,
      });
      const fence = places.fences.get(arrivals.sessionId) ?? null;
      return { arrivals, plan, firsts, gate, fence, waitedFor: place.waitedFor };
    });
    const plans = planned.flatMap(toApply);
    const spans = plans.flatMap(spanOf);
    const isLast = spans.length === 0 && plans.every(({ isTrimmed, consumed }) => !isTrimmed && consumed === null);
    const times = await applyPlans(sql, { plans, now: look.now, isLast });
    for (const plan of plans) await consumeIn(sql, plan);
    for (const plan of plans) if (plan.isTrimmed) await discardTrimmed(sql, plan, look.now);
    const woken = await completeByRecords(sql, spans);
    for (const stream of planned) {
      const storedAtMs = times.get(keyOf(stream.arrivals)) ?? 0;
      answerInto(answers, stream, { storedAtMs, completedWaits: woken.has(stream.arrivals.sessionId) });
      left.set(keyOf(stream.arrivals), leftOf(stream, { now: look.now, storedAtMs }));
    }
    return { answers, left };
  });
}

function gateAmong(gates: ReadonlyMap<SessionId, HeldGate>, sessionId: SessionId): HeldGate {
  const gate = gates.get(sessionId);
  if (gate === undefined) throw new Error(`the gate of ${sessionId} is not held`);
  return gate;
}

/** V11: an expiry that only the clock shows is written down before anybody is told of it. The places are those after it. */
async function expirePast(sql: TransactionSql, taken: Locks, held: readonly StreamArrivals[]): Promise<Locks> {
  const { gates, fences, look } = taken;
  const past = [...gates.values()].filter((gate) => gate.expiredAt === null && stateOf(gate, look.now) === 'expired');
  // It writes to `out`, whose lock comes before those of side streams.
  const outs = past.map(({ sessionId }) => sessionId).filter((sessionId) => !fences.has(sessionId));
  if (outs.length > 0) {
    const { text, values } = lockOutsStatement(outs, true);
    await sql.query(text, values);
  }
  if (past.length === 0) return taken;
  const gatesPast = await lockGates(
    sql,
    past.map(({ sessionId }) => sessionId),
  );
  for (const gate of gatesPast.values()) await expireIfPast(sql, gate, look.now);
  // What was written is seen by a look after it; the locks are there already.
  return takeLocks(sql, held, true);
}

interface PlannedStream {
  readonly arrivals: StreamArrivals;
  readonly plan: AppendPlan;
  readonly firsts: ReadonlyMap<string, FirstStored>;
  readonly gate: HeldGate;
  readonly fence: Fence | null;
  readonly waitedFor: boolean;
}

interface Applied {
  /** Time of what was stored now. */
  readonly storedAtMs: number;
  /** Waitpoints of the session were completed. */
  readonly completedWaits: boolean;
}

function toApply({ arrivals, plan, waitedFor }: PlannedStream): readonly (StreamPlan & { waitedFor: boolean })[] {
  const records = plannedRecords(arrivals, plan);
  if (records.length === 0 && plan.wakeAfter === null) return [];
  return [{ ...plan, sessionId: arrivals.sessionId, stream: arrivals.stream, records, waitedFor }];
}

/** What a planned stream gets, for those who wait; commands and the records of side channels wake nobody. */
function spanOf({ sessionId, stream, records, waitedFor }: ReturnType<typeof toApply>[number]): readonly StoredSpan[] {
  const seqs = records.filter((record) => !isCommand(record)).map(({ seq }) => seq);
  const [firstSeq] = seqs;
  if (!waitedFor || firstSeq === undefined || (stream !== 'in' && stream !== 'out')) return [];
  return [{ sessionId, stream, firstSeq, lastSeq: seqs.at(-1) ?? firstSeq }];
}

function answerInto(
  answers: (AppendAnswer | 'busy')[],
  { arrivals, plan, firsts, gate }: PlannedStream,
  { storedAtMs, completedWaits }: Applied,
): void {
  const unclaimedRun = unclaimedRunOf(gate, arrivals.stream);
  arrivals.appends.forEach(({ index, append }, order) => {
    const outcome = plan.outcomes[order];
    if (outcome === undefined) throw new Error('an append has no outcome');
    const first = firsts.get(append.partId ?? '');
    const atMs = outcome.kind === 'duplicate' && first !== undefined ? first.atMs : storedAtMs;
    answers[index] = { outcome, atMs, next: plan.next, wakeAfter: plan.wakeAfter, completedWaits, unclaimedRun };
  });
}

/** Known is what its next append will meet, unless somebody changes it: nobody waits, is to be woken, or is refused. */
function leftOf(
  { arrivals: { stream }, plan, gate, fence, waitedFor }: PlannedStream,
  { now, storedAtMs }: { readonly now: Date; readonly storedAtMs: number },
): KnownStream | null {
  if (stream !== 'in' && stream !== 'out') return null;
  if (waitedFor || plan.wakeAfter !== null || storedAtMs === 0 || !isOpen(gate, now)) return null;
  const { runNumber, live, attempt } = gate;
  const { next, trimmedBefore } = plan;
  return {
    runNumber,
    live,
    attempt,
    fence: stream === 'out' ? fence : null,
    next,
    trimmedBefore,
    lastAtMs: storedAtMs,
  };
}
