/**
 * What becomes of appends that arrive together for one stream, decided under the gate's lock (lifecycle section 2,
 * append). The rules of `out` and of side channels are the same but for the wake: only `in` obliges a run.
 */
import type { WriterStanding } from './attempt.ts';
import { type Gate, stateOf } from './gate.ts';
import { consumedByTurn, type NewRecord, saysHandOver, settles, trimPoint } from './record.ts';
import { kindOf, type StreamName } from './stream.ts';

export type AppendOutcome =
  | { readonly kind: 'stored'; readonly seq: number }
  /** The part id was stored before, perhaps a moment ago in the same batch: the seq of its first record. */
  | { readonly kind: 'duplicate'; readonly seq: number }
  | { readonly kind: 'closed'; readonly reason: string | null }
  | { readonly kind: 'expired' }
  /** Another attempt writes for the session now. */
  | { readonly kind: 'fenced' }
  /** The first record would have got another seq than the one that it insists on. */
  | { readonly kind: 'seq mismatch'; readonly next: number };

/** Records that are stored together or not at all. */
export interface ArrivingAppend {
  /** Null has no duplicates. */
  readonly partId: string | null;
  /** Null takes any. */
  readonly matchSeq: number | null;
  readonly records: readonly NewRecord[];
  readonly standing: WriterStanding;
}

export interface AppendFacts {
  readonly stream: StreamName;
  /** Next seq of the stream. */
  readonly next: number;
  /** Records with smaller seqs are gone. */
  readonly trimmedBefore: number;
  /** In order. */
  readonly arriving: readonly ArrivingAppend[];
  /** First seqs of those part ids that the stream holds already, looked up after the lock (V7). */
  readonly seqOfPart: ReadonlyMap<string, number>;
  readonly now: Date;
}

export interface AppendPlan {
  /** One for each append, in order. */
  readonly outcomes: readonly AppendOutcome[];
  /** The stream afterwards. */
  readonly next: number;
  readonly trimmedBefore: number;
  /** More is trimmed than before. */
  readonly isTrimmed: boolean;
  /** Null leaves the flag as it is. */
  readonly settled: boolean | null;
  /** Number of the dead run for whose successor these records wait; null when nobody must be woken. */
  readonly wakeAfter: number | null;
  /** Next seq of `in` that is wanted after these records of `out`; null when they tell of none. */
  readonly consumed: number | null;
}

/** Of the gate, what an append goes by. */
export type GateFacts = Pick<
  Gate,
  'runNumber' | 'live' | 'consumed' | 'next' | 'closedAt' | 'closedReason' | 'expiresAt' | 'expiredAt'
>;

export function planAppend(gate: GateFacts, facts: AppendFacts): AppendPlan {
  const ended = endOf(gate, facts.now);
  const seen = new Map(facts.seqOfPart);
  let { next, trimmedBefore } = facts;
  let settled: boolean | null = null;
  const outcomes = facts.arriving.map((append): AppendOutcome => {
    const refusal = refusalOf(append, ended);
    if (refusal !== null) return refusal;
    const first = append.partId === null ? undefined : seen.get(append.partId);
    if (first !== undefined) return { kind: 'duplicate', seq: first };
    if (append.matchSeq !== null && append.matchSeq !== next) return { kind: 'seq mismatch', next };
    const seq = next;
    for (const record of append.records) {
      next += 1;
      settled = settles(record) ?? settled;
      // As the stream service has it: a trim may take its own record with it, and nothing that comes later.
      trimmedBefore = Math.max(trimmedBefore, Math.min(trimPoint(record) ?? 0, next));
    }
    if (append.partId !== null) seen.set(append.partId, seq);
    return { kind: 'stored', seq };
  });
  const isWakeDue = kindOf(facts.stream) === 'in' && !gate.live && outcomes.some((outcome) => isUnread(gate, outcome));
  const isTrimmed = trimmedBefore > facts.trimmedBefore;
  return {
    outcomes,
    next,
    trimmedBefore,
    isTrimmed,
    settled,
    wakeAfter: isWakeDue ? gate.runNumber : null,
    consumed: consumedBy(facts, outcomes, gate.next),
  };
}

/** What is not there yet, beyond `next`, cannot have been answered. */
function consumedBy(
  { stream, arriving }: AppendFacts,
  outcomes: readonly AppendOutcome[],
  next: number,
): number | null {
  if (stream !== 'out') return null;
  const turns = arriving.flatMap(({ records }, order) => (outcomes[order]?.kind === 'stored' ? records : []));
  const answered = turns.flatMap((record) => consumedByTurn(record) ?? []);
  return answered.length === 0 ? null : Math.min(Math.max(...answered), next);
}

/** I4: judged under the lock, so nothing is stored after an acknowledged close (V2). */
function endOf(gate: GateFacts, now: Date): AppendOutcome | null {
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

function refusalOf({ standing, records }: ArrivingAppend, ended: AppendOutcome | null): AppendOutcome | null {
  switch (standing) {
    case 'holder':
      // A live run may finish its turn after its session has ended; the fence is shut with the run.
      return null;
    case 'fenced out':
      return { kind: 'fenced' };
    case 'handed over':
      return records.every(saysHandOver) ? ended : { kind: 'fenced' };
    case 'unfenced':
      return ended;
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
    case 'fenced':
    case 'seq mismatch':
      return false;
  }
}
