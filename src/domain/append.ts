/**
 * What becomes of records that arrive together for one stream, decided under the gate's lock (lifecycle section 2,
 * append). The rules of `out` and of side channels are the same but for the wake: only `in` obliges a run.
 */
import { type Gate, stateOf } from './gate.ts';
import { kindOf, type StreamName } from './stream.ts';

export type AppendOutcome =
  | { readonly kind: 'stored'; readonly seq: number }
  /** The part id was stored before, perhaps a moment ago in the same batch: that record's seq. */
  | { readonly kind: 'duplicate'; readonly seq: number }
  | { readonly kind: 'closed'; readonly reason: string | null }
  | { readonly kind: 'expired' };

export interface AppendFacts {
  readonly stream: StreamName;
  /** Next seq of the stream. */
  readonly next: number;
  /** Part id of each arriving record, in order; null has no duplicates. */
  readonly partIds: readonly (string | null)[];
  /** Seqs of those part ids that the stream holds already, looked up after the lock (V7). */
  readonly seqOfPart: ReadonlyMap<string, number>;
  readonly now: Date;
}

export interface AppendPlan {
  /** One for each arriving record, in order. */
  readonly outcomes: readonly AppendOutcome[];
  /** Next seq of the stream afterwards. */
  readonly next: number;
  /** Number of the dead run for whose successor these records wait; null when nobody must be woken. */
  readonly wakeAfter: number | null;
}

type GateFacts = Pick<
  Gate,
  'runNumber' | 'live' | 'consumed' | 'closedAt' | 'closedReason' | 'expiresAt' | 'expiredAt'
>;

export function planAppend(gate: GateFacts, facts: AppendFacts): AppendPlan {
  const refusal = refusalOf(gate, facts.now);
  if (refusal !== null) return { outcomes: facts.partIds.map(() => refusal), next: facts.next, wakeAfter: null };
  const seen = new Map(facts.seqOfPart);
  let { next } = facts;
  const outcomes = facts.partIds.map((partId): AppendOutcome => {
    const first = partId === null ? undefined : seen.get(partId);
    if (first !== undefined) return { kind: 'duplicate', seq: first };
    const seq = next;
    next += 1;
    if (partId !== null) seen.set(partId, seq);
    return { kind: 'stored', seq };
  });
  const isWakeDue = kindOf(facts.stream) === 'in' && !gate.live && outcomes.some((outcome) => isUnread(gate, outcome));
  return { outcomes, next, wakeAfter: isWakeDue ? gate.runNumber : null };
}

/** I4: judged under the lock, so nothing is stored after an acknowledged close (V2). */
function refusalOf(gate: GateFacts, now: Date): AppendOutcome | null {
  const state = stateOf(gate, now);
  switch (state) {
    case 'open':
      return null;
    case 'closed':
      return { kind: 'closed', reason: gate.closedReason };
    case 'expired':
      return { kind: 'expired' };
  }
}

/** V3: a repeated append wakes too, as the process that stored the first may have died before it did. */
function isUnread(gate: GateFacts, outcome: AppendOutcome): boolean {
  switch (outcome.kind) {
    case 'stored':
      return true;
    case 'duplicate':
      return outcome.seq >= gate.consumed;
    case 'closed':
    case 'expired':
      return false;
  }
}
