/** The contenders of a create under one load, and how each stands to the first of them. */
import type { Load, Slot } from '../closed-loop.ts';
import { processorMs } from '../processor-time.ts';
import { settle, takeTurns } from '../rounds.ts';
import { p50Of, pairedRatio, perSecondOf, type Summary, summarise } from '../statistics.ts';

export interface Contender {
  readonly name: string;
  readonly measure: (load: Load) => Promise<Slot>;
  /** Processes that work for its calls, and for nobody else's during its turn. */
  readonly pids: () => readonly number[];
  /** Its p50 by the floor's is to be this at most; absent for a baseline. */
  readonly p50Target?: number;
  /** Its throughput by the floor's is to be this at least. */
  readonly perSecondTarget?: number;
}

export interface Standing extends Summary {
  readonly name: string;
  readonly inFlight: number;
  readonly rounds: number;
  /** Medians over the rounds, of this contender's figure by the floor's. */
  readonly p50Ratio: number;
  readonly perSecondRatio: number;
  /** Of all its processes, for each call; null where the system does not tell. */
  readonly processorMs: number | null;
  readonly p50Target: number | null;
  readonly perSecondTarget: number | null;
}

export interface ContestOptions {
  readonly contenders: readonly [Contender, ...Contender[]];
  readonly load: Load;
  readonly timeMs: number;
}

const roundsMin = 3;

interface Turn {
  readonly slot: Slot;
  /** Processor time of the contender's processes; null where the system does not tell. */
  readonly spentMs: number | null;
}

/** The first contender is the floor that the others are measured by. */
export async function contest({ contenders, load, timeMs }: ContestOptions): Promise<Standing[]> {
  const turns = await takeTurns(
    contenders.map((contender) => () => takeTurn(contender, load)),
    { timeMs, roundsMin },
  );
  const floor = turns[0]?.map(({ slot }) => slot) ?? [];
  return contenders.map((contender, index) => standingOf(contender, { turns: turns[index] ?? [], floor, load }));
}

async function takeTurn({ measure, pids }: Contender, load: Load): Promise<Turn> {
  const beforeMs = processorMs(pids());
  const slot = await measure(load);
  await settle();
  const afterMs = processorMs(pids());
  return { slot, spentMs: beforeMs === null || afterMs === null ? null : afterMs - beforeMs };
}

interface Outcome {
  readonly turns: readonly Turn[];
  readonly floor: readonly Slot[];
  readonly load: Load;
}

function standingOf(contender: Contender, { turns, floor, load }: Outcome): Standing {
  const slots = turns.map(({ slot }) => slot);
  const spentMs = turns.reduce<number | null>(
    (sum, turn) => (sum === null || turn.spentMs === null ? null : sum + turn.spentMs),
    0,
  );
  const summary = summarise(slots);
  return {
    name: contender.name,
    inFlight: load.inFlight,
    rounds: slots.length,
    ...summary,
    p50Ratio: pairedRatio(slots, floor, p50Of),
    perSecondRatio: pairedRatio(slots, floor, perSecondOf),
    processorMs: spentMs === null ? null : spentMs / summary.calls,
    p50Target: contender.p50Target ?? null,
    perSecondTarget: contender.perSecondTarget ?? null,
  };
}
