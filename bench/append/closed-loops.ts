/** Closed loops of appends: so many in flight, the next one sent when an answer has come. */
import { closedLoop, type Load, type Slot } from '../closed-loop.ts';
import { processorMs } from '../processor-time.ts';
import { settle, takeTurns } from '../rounds.ts';
import { summarise } from '../statistics.ts';
import { type Appender, writersOf } from './appender.ts';
import { type Faults, sumFaults } from './chain.ts';

export interface LoopContender {
  readonly name: string;
  readonly pids: () => readonly number[];
  open(): Promise<Appender>;
  /** Instead of the contest's; a bare database is asked over fewer connections. */
  readonly inFlight?: number;
}

export interface LoopOptions {
  readonly contenders: readonly LoopContender[];
  readonly load: Load;
  /** Appends are spread over so many. */
  readonly streams: number;
  readonly timeMs: number;
}

export interface LoopStanding {
  readonly name: string;
  readonly inFlight: number;
  readonly slots: readonly Slot[];
  /** Of its server and database, for each append; null where the system does not tell. */
  readonly processorMs: number | null;
}

export interface LoopOutcome {
  readonly streams: number;
  readonly inFlight: number;
  readonly standings: readonly LoopStanding[];
  readonly faults: Faults;
}

const roundsMin = 3;
/** Before the rounds, as part of no figure: plans and code are made. */
const warmUpRounds = 2;

export async function closedLoops({ contenders, load, streams, timeMs }: LoopOptions): Promise<LoopOutcome> {
  const fields = await Promise.all(contenders.map((contender) => fieldOf(contender, { load, streams })));
  const takers = fields.map(({ take }) => take);
  await takeTurns(takers, { timeMs: 0, roundsMin: warmUpRounds });
  const turns = await takeTurns(takers, { timeMs, roundsMin });
  const faults: Faults[] = [];
  for (const { check } of fields) faults.push(...(await check()));
  return {
    streams,
    inFlight: load.inFlight,
    standings: fields.map(({ name, inFlight }, index) => standingOf({ name, inFlight }, turns[index] ?? [])),
    faults: sumFaults(faults),
  };
}

interface LoopTurn {
  readonly slot: Slot;
  readonly spentMs: number | null;
}

async function fieldOf(contender: LoopContender, { load, streams }: Pick<LoopOptions, 'load' | 'streams'>) {
  const appenders: Appender[] = [];
  while (appenders.length < streams) appenders.push(await contender.open());
  const inFlight = contender.inFlight ?? load.inFlight;
  const writers = writersOf(appenders, inFlight);
  const take = async (): Promise<LoopTurn> => {
    const beforeMs = processorMs(contender.pids());
    const slot = await closedLoop({ ...load, inFlight }, writers.appendOne);
    await settle();
    const afterMs = processorMs(contender.pids());
    return { slot, spentMs: beforeMs === null || afterMs === null ? null : afterMs - beforeMs };
  };
  return { name: contender.name, inFlight, take, check: writers.check };
}

function standingOf(contender: Pick<LoopStanding, 'name' | 'inFlight'>, turns: readonly LoopTurn[]): LoopStanding {
  const slots = turns.map(({ slot }) => slot);
  const spentMs = turns.reduce<number | null>(
    (sum, turn) => (sum === null || turn.spentMs === null ? null : sum + turn.spentMs),
    0,
  );
  return { ...contender, slots, processorMs: spentMs === null ? null : spentMs / summarise(slots).calls };
}
