/** What a batch of appends will do if every stream is still as this process knows it: planned before any lock. */
import { type AppendPlan, type ArrivingAppend, planAppend } from '../../domain/append.ts';
import { holdsFence, type WriterStanding } from '../../domain/attempt.ts';
import type { Append } from '../../sessions/ports.ts';
import { keyOf, type StreamArrivals } from './arrivals.ts';
import type { KnownStream, KnownStreams } from './known-streams.ts';
import { type PlannedRecord, plannedRecords } from './record-columns.ts';

export interface ForeseenPlan extends StreamArrivals {
  /** What it rests on. */
  readonly known: KnownStream;
  readonly plan: AppendPlan;
  readonly records: readonly PlannedRecord[];
}

/** Null when the course of some append is not known: it may wake somebody, be refused, or move more than its stream. */
export function foresee(
  streams: readonly StreamArrivals[],
  knownStreams: KnownStreams,
): readonly ForeseenPlan[] | null {
  const plans: ForeseenPlan[] = [];
  for (const arrivals of streams) {
    const known = knownStreams.find(keyOf(arrivals));
    const plan = known === null ? null : planOn(known, arrivals);
    if (known === null || plan === null) return null;
    plans.push({ ...arrivals, known, plan, records: plannedRecords(arrivals, plan) });
  }
  return plans;
}

function planOn(known: KnownStream, { stream, appends }: StreamArrivals): AppendPlan | null {
  const arriving: ArrivingAppend[] = [];
  for (const { append } of appends) {
    const standing = standingOn(known, append);
    if (standing === null) return null;
    arriving.push({ ...append, standing });
  }
  const { next, trimmedBefore } = known;
  const openGate = { ...known, consumed: 0, closedAt: null, closedReason: null, expiresAt: null, expiredAt: null };
  const plan = planAppend(openGate, { stream, next, trimmedBefore, arriving, seqOfPart: new Map(), now: new Date(0) });
  const isPlain = plan.wakeAfter === null && plan.consumed === null && !plan.isTrimmed;
  return isPlain && plan.outcomes.every(({ kind }) => kind === 'stored') ? plan : null;
}

/** Null: to be asked under the lock. */
function standingOn({ fence }: KnownStream, { sessionId, attempt, stream }: Append): WriterStanding | null {
  if (attempt === null || attempt.sessionId !== sessionId || stream === 'in') return 'unfenced';
  return fence !== null && holdsFence(fence, attempt) ? 'holder' : null;
}
