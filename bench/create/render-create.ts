/** The report as Markdown. */
import { markdownTable } from '../markdown-table.ts';
import type { Standing } from './contest.ts';
import type { CreateReport, Flatness } from './create-bench.ts';
import type { Price } from './price.ts';

export function renderCreate({ alone, crowded, prices, flatness }: CreateReport): string {
  return [
    '## A create beside the engine under it',
    standingsTable(alone),
    standingsTable(crowded),
    'Ratios are to the floor: medians over the rounds, each of which had all contenders in turn.',
    '## What one costs',
    pricesTable(prices),
    ...prices.filter((price) => price.historyEvents > 0 || price.database !== null).map(detailsOf),
    '## The same with more sessions in the table',
    flatnessTable(flatness),
  ].join('\n\n');
}

function standingsTable(standings: readonly Standing[]): string {
  const [floor] = standings;
  const head = ['p50 ms', 'p95 ms', 'p99 ms', 'per s', 'p50 / floor', 'target', 'per s / floor', 'target', 'CPU ms'];
  const table = markdownTable(
    [`${floor?.inFlight ?? 0} in flight`, ...head, 'CPU / floor'],
    standings.map((standing) => [
      standing.name,
      fixed(standing.p50Ms),
      fixed(standing.p95Ms),
      fixed(standing.p99Ms),
      fixed(standing.perSecond, 1),
      fixed(standing.p50Ratio),
      standing.p50Target === null ? '-' : `<= ${fixed(standing.p50Target)}`,
      fixed(standing.perSecondRatio),
      standing.perSecondTarget === null ? '-' : `>= ${fixed(standing.perSecondTarget)}`,
      standing.processorMs === null ? '-' : fixed(standing.processorMs, 1),
      ratio(standing.processorMs, floor?.processorMs ?? null),
    ]),
  );
  return `${table}\n\n${floor?.rounds ?? 0} rounds; ${standings.map(({ calls }) => calls).join(', ')} calls.`;
}

function pricesTable(prices: readonly Price[]): string {
  return markdownTable(
    ['one call', 'workflow tasks', 'history events', 'history bytes', 'database statements', 'WAL bytes'],
    prices.map((price) => [
      price.name,
      String(price.workflowTasks),
      String(price.historyEvents),
      String(price.historyBytes),
      price.database === null ? '-' : fixed(price.database.statements),
      price.database === null ? '-' : fixed(price.database.walBytes, 0),
    ]),
  );
}

function detailsOf({ name, historyEventTypes, database }: Price): string {
  const statements = (database?.texts ?? []).map(({ text, calls }) => `  - ${fixed(calls)} x \`${text}\``);
  const events = historyEventTypes.length === 0 ? [] : [`  - history: ${historyEventTypes.join(', ')}`];
  return [`- ${name}`, ...events, ...statements].join('\n');
}

function flatnessTable(flatness: readonly Flatness[]): string {
  return markdownTable(
    ['1 in flight', 'sessions in the table', 'p50 ms', 'p50 / p50 of an empty table'],
    flatness.flatMap(({ name, sessions, p50Ms, p50MsBesideMany, ratio: many }) => [
      [name, 'few', fixed(p50Ms), fixed(1)],
      [name, sessions.toLocaleString('en'), fixed(p50MsBesideMany), fixed(many)],
    ]),
  );
}

const fixed = (value: number, digits = 2): string => value.toFixed(digits);

const ratio = (value: number | null, base: number | null): string =>
  value === null || base === null ? '-' : fixed(value / base);
