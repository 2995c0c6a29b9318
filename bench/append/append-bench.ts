/**
 * Appends, tails and replays of our streams beside what else could hold them, in one run. Contenders take turns, so
 * ratios hold while the machine's speed drifts; all of them write to the same disk and wait for it at each commit, but
 * PGlite, which does not.
 *
 * - `@durable-streams/server`: the reference server of another protocol for such streams, its files on this disk.
 * - inserts: a row of the record's text and its place, a statement that is its own transaction, on the PostgreSQL that
 *   our server uses, over as many connections. No server of a stream on that database can be faster without
 *   committing several records at once.
 * - `in` and `out`: our server, compiled, timed at an HTTP client in this process. An append to `in` must find a run to
 *   meet it, one to `out` must find the session open: both check that under a lock.
 *
 * Everything that was acknowledged is read back, and what every tail has seen is kept: each record carries the digest
 * of its writer's record before. A lost, repeated or altered record fails the bench.
 */
import { createStopStack, type StopStack } from '../../src/stop-stack.ts';
import { createClient } from '../create/create-client.ts';
import { startEngines } from '../engines.ts';
import { familyOf } from '../processor-time.ts';
import { startServerProcess } from '../server-process.ts';
import { appenderAt } from './appender.ts';
import { type Faults, sumFaults } from './chain.ts';
import { closedLoops, type LoopContender, type LoopOutcome } from './closed-loops.ts';
import { startDurableStreams } from './durable-streams-server.ts';
import { type Inserts, openInserts } from './insert-appender.ts';
import { ourServer } from './our-server.ts';
import { type PacedOutcome, pacedAppends } from './paced-appends.ts';
import { type ReplayOutcome, replays } from './replays.ts';
import type { StreamServer } from './stream-server.ts';

/** What can be measured by itself. */
export const appendParts = ['loops', 'tails', 'replay'] as const;
export type AppendPart = (typeof appendParts)[number];

export interface BenchOptions {
  readonly quick: boolean;
  readonly say: (line: string) => void;
  /** Empty: all. */
  readonly parts: readonly AppendPart[];
}

export interface AppendReport {
  readonly loops: readonly LoopOutcome[];
  readonly paced: readonly PacedOutcome[];
  /** Null when it was not asked for. */
  readonly replays: ReplayOutcome | null;
  readonly faults: Faults;
}

const phases = {
  full: { loopMs: 20_000, pacedMs: 20_000, turnMs: 4_000, replayMs: 15_000, records: 10_000 },
  quick: { loopMs: 2_000, pacedMs: 0, turnMs: 1_500, replayMs: 2_000, records: 2_000 },
} as const;

export async function benchAppend({ quick, say, parts }: BenchOptions): Promise<AppendReport> {
  const stops = createStopStack(({ part, error }) => say(`${part} did not stop in order: ${String(error)}`));
  const onSignal = () => void stops.stop().finally(() => process.exit(130));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const field = await startField({ stops, say });
    const phase = quick ? phases.quick : phases.full;
    const isWanted = (part: AppendPart) => parts.length === 0 || parts.includes(part);
    const loops = isWanted('loops') ? await measureLoops(field, { ...phase, say }) : [];
    const paced = isWanted('tails') ? await measurePaced(field, { ...phase, say }) : [];
    const replayed = isWanted('replay') ? await measureReplays(field, { ...phase, say }) : null;
    const outcomes = [...loops, ...paced, ...(replayed === null ? [] : [replayed])];
    return { loops, paced, replays: replayed, faults: sumFaults(outcomes.map(({ faults }) => faults)) };
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await stops.stop();
  }
}

type Phase = (typeof phases)[keyof typeof phases] & Pick<BenchOptions, 'say'>;

async function measureLoops(field: Field, { loopMs, say }: Phase): Promise<LoopOutcome[]> {
  const outcomes: LoopOutcome[] = [];
  for (const loop of loopsOf(field)) {
    say(`closed loop, ${loop.load.inFlight} in flight, ${loop.streams} streams`);
    outcomes.push(await closedLoops({ ...loop, timeMs: loopMs }));
  }
  return outcomes;
}

async function measurePaced({ peer, outs }: Field, { pacedMs, turnMs, say }: Phase): Promise<PacedOutcome[]> {
  const outcomes: PacedOutcome[] = [];
  for (const pace of paces) {
    say(`${pace.streams} streams at ${pace.perSecond} records/s, ${pace.tailsEach} tails each`);
    // Each of its tails reads the file again for each record: with so many it would be busy for seconds.
    const others = pace.tailsEach > tailsOfPeerMax ? [] : [peer];
    const servers = [...others, outs.postgres, outs.pglite];
    outcomes.push(await pacedAppends({ servers, pace: { ...pace, turnMs }, timeMs: pacedMs }));
  }
  return outcomes;
}

async function measureReplays({ peer, outs }: Field, { records, replayMs, say }: Phase): Promise<ReplayOutcome> {
  say(`replay of ${records} records`);
  return replays({ servers: [peer, outs.postgres, outs.pglite], records, timeMs: replayMs });
}

const paces = [
  { streams: 50, tailsEach: 1, perSecond: 4 },
  { streams: 1, tailsEach: 100, perSecond: 10 },
  { streams: 1, tailsEach: 1_000, perSecond: 2 },
] as const;

const tailsOfPeerMax = 100;

interface Field {
  readonly peer: StreamServer;
  readonly ins: Readonly<Record<'postgres' | 'pglite', StreamServer>>;
  readonly outs: Readonly<Record<'postgres' | 'pglite', StreamServer>>;
  readonly inserts: { readonly one: Inserts; readonly many: Inserts; readonly pids: () => readonly number[] };
}

const manyConnections = 32;
/** Of one contender, at most. */
const turnMs = 500;

async function startField({ stops, say }: { stops: StopStack; say: BenchOptions['say'] }): Promise<Field> {
  say('starting Temporal and PostgreSQL');
  const engines = await startEngines({ namespaces: ['postgres', 'pglite'], stops, say });
  const databaseUrl = await engines.postgres.createDatabase('bench');
  const ofDatabase = () => familyOf(engines.postgres.pid);
  const site = async (namespace: 'postgres' | 'pglite', url: string | null) => {
    const temporalAddress = engines.temporal.address;
    const server = await startServerProcess({ temporalAddress, namespace, databaseUrl: url }, stops);
    const sessions = createClient(server);
    stops.push('http client', async () => sessions.close(), 1_000);
    const pids = () => [server.pid, ...(url === null ? [] : ofDatabase())];
    const stream = (direction: 'in' | 'out') =>
      ourServer({ name: `${direction}, ${url === null ? 'PGlite' : 'PostgreSQL'}`, server, sessions, direction, pids });
    return { in: stream('in'), out: stream('out') };
  };
  say('starting the contenders');
  const starting = [site('postgres', databaseUrl), site('pglite', null)] as const;
  const startingPeer = startDurableStreams(stops);
  // If one fails, the others are still starting: they too must be known before everything is stopped.
  await Promise.allSettled([...starting, startingPeer]);
  const [postgres, pglite] = await Promise.all(starting);
  return {
    peer: await startingPeer,
    ins: { postgres: postgres.in, pglite: pglite.in },
    outs: { postgres: postgres.out, pglite: pglite.out },
    inserts: {
      one: await openInserts(databaseUrl, 1, stops),
      many: await openInserts(databaseUrl, manyConnections, stops),
      pids: ofDatabase,
    },
  };
}

const streamContender = (server: StreamServer): LoopContender => ({
  name: server.name,
  pids: server.pids,
  open: () => appenderAt(server),
});

function loopsOf({ peer, ins, outs, inserts }: Field) {
  const ours = [ins.postgres, outs.postgres, ins.pglite].map(streamContender);
  const insertsOver = (connections: number, { openTable }: Inserts): LoopContender => ({
    name: `inserts, ${connections} connections`,
    pids: inserts.pids,
    open: openTable,
    inFlight: connections,
  });
  const others = [streamContender(peer), insertsOver(1, inserts.one)];
  const crowd = [streamContender(peer), insertsOver(manyConnections, inserts.many)];
  return [
    { contenders: [...others, ...ours], load: { calls: 200, inFlight: 1, timeMs: turnMs }, streams: 1 },
    { contenders: [...crowd, ...ours], load: { calls: 2_000, inFlight: 64, timeMs: turnMs }, streams: 1 },
    { contenders: [...crowd, ...ours], load: { calls: 2_000, inFlight: 64, timeMs: turnMs }, streams: 16 },
  ];
}
