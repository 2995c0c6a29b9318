/**
 * Contenders in turn, round by round, each round in another order, until the time is up: whatever else the machine
 * does, and however its engines age, then hits all of them alike.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Load, Slot } from '../closed-loop.ts';
import { processorMs } from '../processor-time.ts';
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
/** What a call leaves behind, such as the rest of its workflow task, ends within its own turn. */
const settleMs = 100;

interface Turns {
  readonly slots: Slot[];
  spentMs: number | null;
}

/** The first contender is the floor that the others are measured by. */
export async function contest({ contenders, load, timeMs }: ContestOptions): Promise<Standing[]> {
  const turns = contenders.map((): Turns => ({ slots: [], spentMs: 0 }));
  const endAtMs = performance.now() + timeMs;
  let rounds = 0;
  for (; rounds < roundsMin || performance.now() < endAtMs; rounds += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const index = (turn + rounds) % contenders.length;
      await takeTurn(contenders[index] as Contender, turns[index] as Turns, load);
    }
  }
  return contenders.map((contender, index) => standingOf(contender, { mine: turns[index], floor: turns[0], load }));
}

async function takeTurn({ measure, pids }: Contender, turns: Turns, load: Load): Promise<void> {
  const beforeMs = processorMs(pids());
  turns.slots.push(await measure(load));
  await sleep(settleMs);
  const afterMs = processorMs(pids());
  turns.spentMs =
    beforeMs === null || afterMs === null || turns.spentMs === null ? null : turns.spentMs + afterMs - beforeMs;
}

interface Outcome {
  readonly mine: Turns | undefined;
  readonly floor: Turns | undefined;
  readonly load: Load;
}

function standingOf(contender: Contender, { mine, floor, load }: Outcome): Standing {
  const [slots, floorSlots] = [mine?.slots ?? [], floor?.slots ?? []];
  const spentMs = mine?.spentMs ?? null;
  const summary = summarise(slots);
  return {
    name: contender.name,
    inFlight: load.inFlight,
    rounds: slots.length,
    ...summary,
    p50Ratio: pairedRatio(slots, floorSlots, p50Of),
    perSecondRatio: pairedRatio(slots, floorSlots, perSecondOf),
    processorMs: spentMs === null ? null : spentMs / summary.calls,
    p50Target: contender.p50Target ?? null,
    perSecondTarget: contender.perSecondTarget ?? null,
  };
}
