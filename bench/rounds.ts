/**
 * Contenders in turn, round by round, each round in another order, until the time is up: whatever else the machine
 * does, and however its engines age, then hits all of them alike.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface RoundsOptions {
  readonly timeMs: number;
  /** Taken also when the time is up. */
  readonly roundsMin: number;
}

/** What a call leaves behind, such as the rest of its workflow task, ends within its own turn. */
const settleMs = 100;

/** What each contender measured, by round. */
export async function takeTurns<Measured>(
  contenders: readonly (() => Promise<Measured>)[],
  { timeMs, roundsMin }: RoundsOptions,
): Promise<readonly (readonly Measured[])[]> {
  const measured = contenders.map((): Measured[] => []);
  const endAtMs = performance.now() + timeMs;
  for (let round = 0; round < roundsMin || performance.now() < endAtMs; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const index = (turn + round) % contenders.length;
      const take = contenders[index] as () => Promise<Measured>;
      measured[index]?.push(await take());
    }
  }
  return measured;
}

export const settle = (): Promise<void> => sleep(settleMs);
