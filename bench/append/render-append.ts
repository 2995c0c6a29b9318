/** The report as Markdown. */
import { markdownTable } from '../markdown-table.ts';
import { quantile, summarise } from '../statistics.ts';
import type { AppendReport } from './append-bench.ts';
import type { LoopOutcome } from './closed-loops.ts';
import type { PacedOutcome } from './paced-appends.ts';
import type { ReplayOutcome } from './replays.ts';
import { type Target, targetsOf } from './targets.ts';

const mebibyte = 1_048_576;

export function renderAppend(report: AppendReport): string {
  const { records, lost, duplicate, altered } = report.faults;
  return [
    ...section('Appends, the next sent when an answer has come', report.loops.map(loopTable)),
    ...section('Appends at a set pace, and the tails that follow them', report.paced.map(pacedTable)),
    ...section('Replay', report.replays === null ? [] : [replayTable(report.replays)]),
    ...section('Targets', [targetsTable(targetsOf(report))]),
    `${records.toLocaleString('en')} records read back and followed: ${lost} lost, ${duplicate} repeated, ${altered} altered.`,
  ].join('\n\n');
}

const section = (title: string, tables: readonly string[]): string[] =>
  tables.length === 0 ? [] : [`## ${title}`, ...tables];

function loopTable({ streams, inFlight, standings }: LoopOutcome): string {
  const title = `${inFlight} in flight, ${streams === 1 ? 'one stream' : `${streams} streams`}`;
  const table = markdownTable(
    [title, 'p50 ms', 'p95 ms', 'p99 ms', 'per s', 'CPU ms'],
    standings.map(({ name, slots, processorMs }) => {
      const { p50Ms, p95Ms, p99Ms, perSecond } = summarise(slots);
      return [
        name,
        ...[p50Ms, p95Ms, p99Ms].map((ms) => fixed(ms)),
        fixed(perSecond, 0),
        processorMs === null ? '-' : fixed(processorMs),
      ];
    }),
  );
  return `${table}\n\n${standings[0]?.slots.length ?? 0} rounds.`;
}

function pacedTable({ pace, standings }: PacedOutcome): string {
  const { streams, tailsEach, perSecond } = pace;
  const each = streams === 1 ? '' : ' each';
  const title = `${streams} stream${streams === 1 ? '' : 's'} at ${perSecond}/s${each}, ${tailsEach} tail${tailsEach === 1 ? '' : 's'}${each}`;
  return markdownTable(
    [title, 'ack p50 ms', 'p99 ms', 'delivery p50 ms', 'p99 ms', 'deliveries', 'tails MB'],
    standings.map(({ name, acksMs, deliveriesMs, tailsBytes }) => [
      name,
      ...[0.5, 0.99].map((share) => fixed(quantile(acksMs, share))),
      ...[0.5, 0.99].map((share) => fixed(quantile(deliveriesMs, share))),
      String(deliveriesMs.length),
      tailsBytes === null ? '-' : fixed(tailsBytes / mebibyte, 1),
    ]),
  );
}

function replayTable({ records, standings }: ReplayOutcome): string {
  const table = markdownTable(
    [`${records.toLocaleString('en')} records`, 'p50 ms', 'records/s', 'MB/s'],
    standings.map(({ name, way, replays }) => {
      const ms = quantile(
        replays.map((replay) => replay.ms),
        0.5,
      );
      const bytes = replays[0]?.bytes ?? 0;
      return [`${name}, ${way}`, fixed(ms, 1), fixed((records * 1_000) / ms, 0), fixed(bytes / 1_000 / ms, 1)];
    }),
  );
  return `${table}\n\n${standings[0]?.replays.length ?? 0} rounds.`;
}

const targetsTable = (targets: readonly Target[]): string =>
  markdownTable(
    ['target', 'wanted', 'seen', 'met'],
    targets.map(({ text, wanted, seen, isMet }) => [
      text,
      wanted,
      seen === null ? '-' : fixed(seen),
      isMet === null ? 'not measured' : isMet ? 'yes' : 'no',
    ]),
  );

const fixed = (value: number, digits = 2): string => value.toFixed(digits);
