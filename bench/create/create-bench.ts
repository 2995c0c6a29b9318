/**
 * What a create costs beside the engine under it. All contenders share one Temporal server and take turns, so ratios
 * hold while the machine's speed drifts.
 *
 * - floor: a trivial workflow started eagerly, timed inside its own process until its first local activity is called.
 *   No create through Temporal can be faster.
 * - update-with-start: the bare alternative, timed inside the same process until its answer.
 * - create: our server in a process of its own, compiled, on PostgreSQL with fsync on; timed at an HTTP client with
 *   kept-alive connections, until the last byte of the 201.
 * - create, PGlite: the same on the embedded database.
 * - cached create: the same external id and body again.
 */
import { createStopStack } from '../../src/stop-stack.ts';
import { startEngines } from '../engines.ts';
import { markdownTable } from '../markdown-table.ts';
import { startServerProcess } from '../server-process.ts';
import { type Contender, contest, type Standing } from './contest.ts';
import { createClient } from './create-client.ts';
import { startEngineProcess } from './engine-process.ts';
import { type Flatness, flatness, type Price, priceOfCreate } from './price.ts';

export interface BenchOptions {
  readonly quick: boolean;
  readonly say: (line: string) => void;
}

export interface CreateReport {
  readonly standings: readonly Standing[];
  readonly price: Price;
  readonly flatness: readonly Flatness[];
}

const createTarget = 1.15;
const cachedTarget = 0.1;

export async function benchCreate({ quick, say }: BenchOptions): Promise<CreateReport> {
  const stops = createStopStack(({ part, error }) => say(`${part} did not stop in order: ${String(error)}`));
  const onSignal = () => void stops.stop().finally(() => process.exit(130));
  process.once('SIGINT', onSignal);
  try {
    say('starting Temporal, PostgreSQL and the contenders');
    const { bill, contenders } = await startContenders(stops, say);
    const standings: Standing[] = [];
    for (const inFlight of [1, 16]) {
      say(`measuring ${inFlight} in flight`);
      const sizes = quick ? { rounds: 5, callsPerRound: 16 } : { rounds: 15, callsPerRound: 48 };
      standings.push(...(await contest({ contenders, inFlight, ...sizes })));
    }
    say('counting what a create costs');
    const price = await priceOfCreate(bill);
    const sessions = quick ? 10_000 : 100_000;
    say(`filling the table with ${sessions} sessions`);
    return { standings, price, flatness: await flatness(bill, sessions) };
  } finally {
    process.off('SIGINT', onSignal);
    await stops.stop();
  }
}

async function startContenders(stops: ReturnType<typeof createStopStack>, say: (line: string) => void) {
  const engines = await startEngines({ namespaces: ['engine', 'postgres', 'pglite'], stops, say });
  const { temporalAddress } = engines;
  const databaseUrl = await engines.createDatabase('perdure_bench');
  const engine = await startEngineProcess({ temporalAddress, namespace: 'engine' }, stops);
  const onPostgres = await startServerProcess({ temporalAddress, namespace: 'postgres', databaseUrl }, stops);
  const onPglite = await startServerProcess({ temporalAddress, namespace: 'pglite', databaseUrl: null }, stops);
  const [client, pgliteClient] = [createClient(onPostgres), createClient(onPglite)];
  stops.push('http clients', async () => [client, pgliteClient].forEach((each) => each.close()), 1_000);
  const contenders: [Contender, ...Contender[]] = [
    {
      name: 'floor: eager start to first local activity',
      measure: (load) => engine.measure({ ...load, contender: 'floor' }),
    },
    { name: 'bare update-with-start', measure: (load) => engine.measure({ ...load, contender: 'update-with-start' }) },
    { name: 'create on PostgreSQL', measure: client.create, target: createTarget },
    { name: 'create on PGlite', measure: pgliteClient.create },
    { name: 'cached create on PostgreSQL', measure: client.createAgain, target: cachedTarget },
  ];
  return { bill: { server: onPostgres, client, temporalAddress, databaseUrl }, contenders };
}

export function renderCreate({ standings, price, flatness: flat }: CreateReport): string {
  return [
    '## create, beside the engine (p50 and throughput as ratios to the floor, paired round by round)',
    standingsTable(standings),
    '## what one create costs',
    markdownTable(
      ['workflow tasks', 'history events', 'history bytes', 'database statements', 'database transactions'],
      [Object.values(price).map((count: number) => String(Math.round(count * 10) / 10))],
    ),
    '## the same with more sessions in the table (one in flight)',
    flatnessTable(flat),
  ].join('\n\n');
}

function standingsTable(standings: readonly Standing[]): string {
  return markdownTable(
    ['contender', 'in flight', 'p50 ms', 'p95 ms', 'p99 ms', 'per s', 'p50 / floor', 'per s / floor', 'target p50'],
    standings.map((standing) => [
      standing.name,
      String(standing.inFlight),
      standing.p50Ms.toFixed(2),
      standing.p95Ms.toFixed(2),
      standing.p99Ms.toFixed(2),
      standing.perSecond.toFixed(0),
      standing.p50Ratio.toFixed(2),
      standing.throughputRatio.toFixed(2),
      standing.target === null ? '-' : `<= ${standing.target.toFixed(2)}`,
    ]),
  );
}

function flatnessTable(flat: readonly Flatness[]): string {
  const [first] = flat;
  return markdownTable(
    ['sessions', 'create p50 ms', 'ratio', 'cached p50 ms', 'ratio of cached'],
    flat.map(({ sessions, createP50Ms, cachedP50Ms }) => [
      String(sessions),
      createP50Ms.toFixed(2),
      (createP50Ms / (first?.createP50Ms ?? createP50Ms)).toFixed(2),
      cachedP50Ms.toFixed(2),
      (cachedP50Ms / (first?.cachedP50Ms ?? cachedP50Ms)).toFixed(2),
    ]),
  );
}
