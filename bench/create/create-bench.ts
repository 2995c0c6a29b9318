/**
 * What a create costs beside the engine under it. All contenders share one Temporal server and take turns, so ratios
 * hold while the machine's speed drifts; each has a process of its own, as it would in production.
 *
 * - floor: a trivial workflow started eagerly, timed inside its process from the call until its first local activity
 *   is called. No HTTP, no database. One at a time, no create that goes through Temporal can be faster; in a crowd one
 *   can, because this workflow is over at once, and Temporal has to write down that as well.
 * - update-with-start: the bare alternative, timed inside the same process from the call until its answer.
 * - create: our server, compiled, with its session worker in the same process, on PostgreSQL with fsync on; timed at an
 *   HTTP client in this process, over kept-alive connections, from the call until the last byte of the 201. So what
 *   HTTP costs counts against us, on both ends.
 * - create on PGlite: the same on the embedded database, which does not fsync.
 * - cached create: the same external id and body again.
 * - cached create, elsewhere: the first for a session that another process made.
 *
 * All are warmed up first: over its first two thousand calls a process takes up to half as much processor time again for
 * each, because its code is being compiled; ours has more code than the floor, and a server serves for longer than that.
 *
 * No task worker runs: runs wait in their queues, and what executes them is not part of a create. The reconciler is
 * off. Processor time is that of all processes that work for a call; on two cores it bounds the throughput.
 */
import { createStopStack, type StopStack } from '../../src/stop-stack.ts';
import { type Engines, startEngines } from '../engines.ts';
import { familyOf } from '../processor-time.ts';
import { startServerProcess } from '../server-process.ts';
import { type Contender, contest, type Standing } from './contest.ts';
import { createClient } from './create-client.ts';
import { startEngineProcess } from './engine-process.ts';
import type { Field, Site } from './field.ts';
import { fillSessions } from './fill-sessions.ts';
import { type Price, priceOf } from './price.ts';

export interface BenchOptions {
  readonly quick: boolean;
  readonly say: (line: string) => void;
}

export interface CreateReport {
  readonly alone: readonly Standing[];
  /** Sixteen in flight. */
  readonly crowded: readonly Standing[];
  readonly prices: readonly Price[];
  /** Pairs of `alone`: the same call beside hardly any sessions and beside many. */
  readonly flatness: readonly Flatness[];
}

export interface Flatness {
  readonly name: string;
  readonly sessions: number;
  readonly p50Ms: number;
  readonly p50MsBesideMany: number;
  readonly ratio: number;
}

const p50TargetOfCreate = 1.15;
const perSecondTargetOfCreate = 1 / 1.15;
const p50TargetOfCached = 0.1;

/**
 * A turn is many calls long: the first find the caches full of what others did, and in a crowd's, what the last leave
 * behind is in nobody's throughput. Most of the time goes into the warm-up; the quick bench measures half-cold code.
 */
const phases = {
  full: { warmUpCalls: 2_500, aloneMs: 120_000, aloneCalls: 64, crowdedMs: 90_000, crowdCalls: 128, sessions: 100_000 },
  quick: { warmUpCalls: 600, aloneMs: 12_000, aloneCalls: 16, crowdedMs: 6_000, crowdCalls: 64, sessions: 10_000 },
} as const;

export async function benchCreate({ quick, say }: BenchOptions): Promise<CreateReport> {
  const stops = createStopStack(({ part, error }) => say(`${part} did not stop in order: ${String(error)}`));
  const onSignal = () => void stops.stop().finally(() => process.exit(130));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const phase = quick ? phases.quick : phases.full;
    const field = await startField({ stops, say, sessions: phase.sessions });
    const [contenders, onFilled] = [contendersOf(field), onFilledTable(field, phase.sessions)];
    say('warming up');
    const warmUp = { calls: phase.warmUpCalls, inFlight: 8 };
    for (const { measure } of [...contenders, ...onFilled]) await measure(warmUp);
    // Whoever asks elsewhere may be the first of a round.
    await field.onFilled.client.create({ calls: phase.aloneCalls, inFlight: 8 });
    say('measuring 1 in flight');
    const load = { inFlight: 1, calls: phase.aloneCalls };
    const alone = await contest({ contenders: [...contenders, ...onFilled], load, timeMs: phase.aloneMs });
    say('measuring 16 in flight');
    const crowd = { inFlight: 16, calls: phase.crowdCalls };
    const crowded = await contest({ contenders, load: crowd, timeMs: phase.crowdedMs });
    say('counting what one costs');
    return { alone, crowded, prices: await priceOf(field), flatness: flatnessOf(alone, phase.sessions) };
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await stops.stop();
  }
}

interface FieldOptions {
  readonly stops: StopStack;
  readonly say: BenchOptions['say'];
  /** In the filled table. */
  readonly sessions: number;
}

async function startField({ stops, say, sessions }: FieldOptions): Promise<Field> {
  say('starting Temporal and PostgreSQL');
  const engines = await startEngines({ namespaces: ['engine', 'postgres', 'filled', 'pglite'], stops, say });
  const temporalAddress = engines.temporal.address;
  const site = async (namespace: string, databaseUrl: string | null): Promise<Site> => {
    const server = await startServerProcess({ temporalAddress, namespace, databaseUrl }, stops);
    const client = createClient(server);
    stops.push('http client', async () => client.close(), 1_000);
    return { server, client, databaseUrl };
  };
  say('starting the contenders');
  const databaseUrl = await engines.postgres.createDatabase('bench');
  const filledUrl = await engines.postgres.createDatabase('bench_filled');
  const onFilled = await site('filled', filledUrl);
  const starting = [site('postgres', databaseUrl), site('filled', filledUrl), site('pglite', null)] as const;
  const startingEngine = startEngineProcess({ temporalAddress, namespace: 'engine' }, stops);
  // If one fails, the others are still starting: they too must be known before everything is stopped.
  await Promise.allSettled([...starting, startingEngine]);
  const [onPostgres, besideFilled, onPglite] = await Promise.all(starting);
  const engine = await startingEngine;
  say('filling a table');
  await fillSessions(filledUrl, sessions);
  return { engines, engine, onPostgres, onFilled, besideFilled, onPglite };
}

function contendersOf({ engines, engine, onPostgres, onPglite }: Field): [Contender, ...Contender[]] {
  const ofEngine = () => [engines.temporal.pid, engine.pid];
  const [ofPostgres, ofPglite] = [pidsOf(engines, onPostgres), pidsOf(engines, onPglite)];
  return [
    {
      name: 'floor: eager start to first local activity',
      measure: async (load) => (await engine.measure({ ...load, contender: 'floor' })).slot,
      pids: ofEngine,
    },
    {
      name: 'create',
      measure: onPostgres.client.create,
      pids: ofPostgres,
      p50Target: p50TargetOfCreate,
      perSecondTarget: perSecondTargetOfCreate,
    },
    {
      name: 'bare update-with-start',
      measure: async (load) => (await engine.measure({ ...load, contender: 'update-with-start' })).slot,
      pids: ofEngine,
    },
    {
      name: 'cached create',
      measure: onPostgres.client.createAgain,
      pids: ofPostgres,
      p50Target: p50TargetOfCached,
    },
    { name: 'create on PGlite', measure: onPglite.client.create, pids: ofPglite },
    { name: 'cached create on PGlite', measure: onPglite.client.createAgain, pids: ofPglite },
  ];
}

/** This process has the HTTP client. */
const pidsOf =
  ({ temporal, postgres }: Engines, { server, databaseUrl }: Site) =>
  (): number[] => [temporal.pid, server.pid, process.pid, ...(databaseUrl === null ? [] : familyOf(postgres.pid))];

const besideMany = (name: string, sessions: number): string => `${name}, ${sessions.toLocaleString('en')} sessions`;

function onFilledTable({ engines, onFilled, besideFilled }: Field, sessions: number): Contender[] {
  const [{ client }, pids] = [onFilled, pidsOf(engines, onFilled)];
  return [
    { name: besideMany('create', sessions), measure: client.create, pids },
    { name: besideMany('cached create', sessions), measure: client.createAgain, pids },
    {
      name: 'cached create, elsewhere',
      measure: (load) => client.createAt(besideFilled.client, load),
      pids: pidsOf(engines, besideFilled),
    },
  ];
}

function flatnessOf(standings: readonly Standing[], sessions: number): Flatness[] {
  return standings.flatMap((few) => {
    const many = standings.find(({ name }) => name === besideMany(few.name, sessions));
    if (many === undefined) return [];
    const ratio = many.p50Ratio / few.p50Ratio;
    return [{ name: few.name, sessions, p50Ms: few.p50Ms, p50MsBesideMany: many.p50Ms, ratio }];
  });
}
