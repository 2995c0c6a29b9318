/** What the streams are to reach, beside what they reached. Ratios are paired round by round where rounds are. */
import type { Slot } from '../closed-loop.ts';
import { p50Of, pairedRatio, perSecondOf, quantile } from '../statistics.ts';
import type { AppendReport } from './append-bench.ts';
import type { LoopOutcome } from './closed-loops.ts';
import type { ReplayStanding } from './replays.ts';

export interface Target {
  readonly text: string;
  readonly wanted: string;
  readonly seen: number | null;
  readonly isMet: boolean | null;
}

const peer = '@durable-streams/server';
const mebibyte = 1_048_576;
const ours = ['in, PostgreSQL', 'out, PostgreSQL'] as const;
const tailing = 'out, PostgreSQL';

export function targetsOf(report: AppendReport): readonly Target[] {
  return [...report.loops.flatMap(ofLoop), ...ofTails(report), ...ofReplays(report)];
}

function ofLoop(loop: LoopOutcome): Target[] {
  const at = `${loop.inFlight} in flight on ${loop.streams === 1 ? 'one stream' : `${loop.streams} streams`}`;
  const ratio = (name: string, base: string, measure: (slot: Slot) => number): number | null => {
    const slots = (wanted: string) => loop.standings.find((standing) => standing.name === wanted)?.slots;
    const [mine, floor] = [slots(name), slots(base)];
    return mine === undefined || floor === undefined ? null : pairedRatio(mine, floor, measure);
  };
  if (loop.inFlight === 1) {
    return ours.map((name) => atMost(`ack p50 of ${name} / of ${peer}, ${at}`, 1, ratio(name, peer, p50Of)));
  }
  return ours.flatMap((name) => [
    atLeast(`appends/s of ${name} / of ${peer}, ${at}`, 2, ratio(name, peer, perSecondOf)),
    atLeast(
      `appends/s of ${name} / inserts, 32 connections, ${at}`,
      0.5,
      ratio(name, 'inserts, 32 connections', perSecondOf),
    ),
  ]);
}

function ofTails({ paced }: AppendReport): Target[] {
  const under = (tails: number) =>
    paced.find(({ pace }) => pace.tailsEach === tails)?.standings.find(({ name }) => name === tailing);
  if (paced.length === 0) return [];
  const [hundred, thousand] = [under(100), under(1_000)];
  const later = hundred === undefined ? null : quantile(hundred.deliveriesMs, 0.99) - quantile(hundred.acksMs, 0.99);
  const bytes = thousand?.tailsBytes ?? null;
  return [
    atMost('delivery p99 - ack p99 of 100 tails, ms', 5, later),
    atMost('memory of 1,000 tails, MB', 50, bytes === null ? null : bytes / mebibyte),
  ];
}

function ofReplays({ replays }: AppendReport): Target[] {
  if (replays === null) return [];
  return (['at once', 'by SSE'] as const).map((way) => {
    const slots = (name: string) => slotsOf(replays.standings.find((one) => one.name === name && one.way === way));
    const ratio = pairedRatio(slots(tailing), slots(peer), perSecondOf);
    return atLeast(`records/s of a replay ${way}, ${tailing} / ${peer}`, 2, ratio);
  });
}

const slotsOf = (standing: ReplayStanding | undefined): Slot[] =>
  (standing?.replays ?? []).map(({ ms }) => ({ latenciesMs: [ms], elapsedMs: ms }));

const atMost = (text: string, bound: number, seen: number | null): Target => ({
  text,
  wanted: `<= ${bound}`,
  seen,
  isMet: seen === null ? null : seen <= bound,
});

const atLeast = (text: string, bound: number, seen: number | null): Target => ({
  text,
  wanted: `>= ${bound}`,
  seen,
  isMet: seen === null ? null : seen >= bound,
});
