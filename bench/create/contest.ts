/** Contenders in turn, round by round, so that whatever else the machine does hits all of them alike. */
import type { Load, Slot } from '../closed-loop.ts';
import { p50Of, pairedRatio, perSecondOf, type Summary, summarise } from '../statistics.ts';

export interface Contender {
  readonly name: string;
  readonly measure: (load: Load) => Promise<Slot>;
  /** Of the floor: p50 at most, throughput at least its inverse; absent for a baseline. */
  readonly target?: number;
}

export interface Standing extends Summary {
  readonly name: string;
  readonly inFlight: number;
  /** Medians over the rounds, of this contender's figure by the first contender's. */
  readonly p50Ratio: number;
  readonly throughputRatio: number;
  readonly target: number | null;
}

export interface ContestOptions {
  readonly contenders: readonly [Contender, ...Contender[]];
  readonly inFlight: number;
  readonly rounds: number;
  readonly callsPerRound: number;
}

/** The first contender is the floor that the others are measured by. */
export async function contest(options: ContestOptions): Promise<Standing[]> {
  const { contenders, inFlight, rounds } = options;
  const load = { calls: options.callsPerRound, inFlight };
  const slots = contenders.map((): Slot[] => []);
  for (const { measure } of contenders) await measure(load);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { measure }] of contenders.entries()) slots[index]?.push(await measure(load));
  }
  const floor = slots[0] ?? [];
  return contenders.map(({ name, target }, index) => {
    const mine = slots[index] ?? [];
    return {
      name,
      inFlight,
      ...summarise(mine),
      p50Ratio: pairedRatio(mine, floor, p50Of),
      throughputRatio: pairedRatio(mine, floor, perSecondOf),
      target: target ?? null,
    };
  });
}
