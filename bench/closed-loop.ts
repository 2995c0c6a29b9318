/** A closed loop: so many callers, each of whom begins its next call when the last one has its answer. */

/** What one contender did in one round. */
export interface Slot {
  readonly latenciesMs: readonly number[];
  readonly elapsedMs: number;
}

export interface Load {
  readonly calls: number;
  readonly inFlight: number;
  /** Begins no further call after this time. */
  readonly timeMs?: number;
}

/** @param call resolves to its own time in milliseconds, as its contender defines it */
export async function closedLoop(
  { calls, inFlight, timeMs = Number.POSITIVE_INFINITY }: Load,
  call: () => Promise<number>,
): Promise<Slot> {
  const latenciesMs: number[] = [];
  let begun = 0;
  const startedAtMs = performance.now();
  const caller = async () => {
    while (begun < calls && performance.now() - startedAtMs < timeMs) {
      begun += 1;
      latenciesMs.push(await call());
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return { latenciesMs, elapsedMs: performance.now() - startedAtMs };
}
