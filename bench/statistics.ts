/** What is said of many measurements of one thing. */
import type { Slot } from './closed-loop.ts';

/** @param share between 0 and 1; the nearest rank, so the answer is one of the values */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

const median = (values: readonly number[]): number => quantile(values, 0.5);

export interface Summary {
  readonly calls: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
}

export function summarise(slots: readonly Slot[]): Summary {
  const latenciesMs = slots.flatMap((slot) => slot.latenciesMs);
  return {
    calls: latenciesMs.length,
    p50Ms: quantile(latenciesMs, 0.5),
    p95Ms: quantile(latenciesMs, 0.95),
    p99Ms: quantile(latenciesMs, 0.99),
    perSecond: (latenciesMs.length * 1_000) / slots.reduce((sum, slot) => sum + slot.elapsedMs, 0),
  };
}

/**
 * How one contender compares to another, round by round: both met the same machine in the same moment, so what else
 * the machine did falls out. The median of the rounds is told.
 */
export function pairedRatio(
  slots: readonly Slot[],
  baseline: readonly Slot[],
  measure: (slot: Slot) => number,
): number {
  return median(slots.slice(0, baseline.length).map((slot, round) => measure(slot) / measure(baseline[round] as Slot)));
}

export const p50Of = (slot: Slot): number => median(slot.latenciesMs);
export const perSecondOf = (slot: Slot): number => (slot.latenciesMs.length * 1_000) / slot.elapsedMs;
