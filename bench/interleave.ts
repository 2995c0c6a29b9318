/**
 * Rounds in which every contender has one short turn, each round in another order, until the time is up. What else
 * the machine does, and how its engines age, then hits all of them alike.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Load, Slot } from './closed-loop.ts';
import { processorMs } from './processor-time.ts';

export interface Contender {
  readonly name: string;
  run(load: Load): Promise<Slot>;
  /** Whose processor time its calls take. */
  readonly pids: readonly number[];
}

export interface Measured {
  /** One for each round. */
  readonly slots: readonly Slot[];
  /** For each call, trailing work included; null where the system does not tell. */
  readonly processorMs: number | null;
}

export interface Turns {
  readonly load: Load;
  readonly timeMs: number;
}

const roundsMin = 3;
/** Work that a call leaves behind, such as the rest of its workflow task, ends in its own turn. */
const settleMs = 100;

export async function interleave(contenders: readonly Contender[], turns: Turns): Promise<Map<string, Measured>> {
  const slots = new Map(contenders.map(({ name }) => [name, [] as Slot[]]));
  const spentMs = new Map(contenders.map(({ name }) => [name, 0]));
  const endAtMs = performance.now() + turns.timeMs;
  for (let round = 0; round < roundsMin || performance.now() < endAtMs; round += 1) {
    for (const [turn] of contenders.entries()) {
      const contender = contenders[(turn + round) % contenders.length] as Contender;
      const beforeMs = processorMs(contender.pids);
      slots.get(contender.name)?.push(await contender.run(turns.load));
      await sleep(settleMs);
      const afterMs = processorMs(contender.pids);
      spentMs.set(contender.name, (spentMs.get(contender.name) ?? 0) + (afterMs ?? Number.NaN) - (beforeMs ?? Number.NaN));
    }
  }
  return new Map(
    contenders.map(({ name }) => {
      const own = slots.get(name) ?? [];
      const calls = own.reduce((sum, slot) => sum + slot.latenciesMs.length, 0);
      const perCallMs = (spentMs.get(name) ?? Number.NaN) / calls;
      return [name, { slots: own, processorMs: Number.isNaN(perCallMs) ? null : perCallMs }];
    }),
  );
}
