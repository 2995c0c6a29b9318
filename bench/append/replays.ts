/** A reader that comes late: everything that a stream holds, at once and as a tail, until its last byte is here. */
import { closedLoop } from '../closed-loop.ts';
import { httpClient } from '../http-connection.ts';
import { settle, takeTurns } from '../rounds.ts';
import { appendTo, replayOf, type Served } from './appender.ts';
import { type Chain, checkChains, type Faults, newChain, sumFaults } from './chain.ts';
import { readBodyOf, splitEvents } from './event-reader.ts';
import type { StreamServer } from './stream-server.ts';

export interface Replay {
  readonly ms: number;
  /** Of the body. */
  readonly bytes: number;
}

export interface ReplayStanding {
  readonly name: string;
  readonly way: 'at once' | 'at once, as never before' | 'by SSE';
  /** By round. */
  readonly replays: readonly Replay[];
}

export interface ReplayOutcome {
  readonly records: number;
  readonly standings: readonly ReplayStanding[];
  readonly faults: Faults;
}

export interface ReplayOptions {
  readonly servers: readonly StreamServer[];
  readonly records: number;
  readonly timeMs: number;
}

const roundsMin = 3;
const warmUpRounds = 2;
const fillersInFlight = 64;
/** In the last record only, and the same however often its text is escaped. */
const endMark = 'end-of-the-stream';

export async function replays({ servers, records, timeMs }: ReplayOptions): Promise<ReplayOutcome> {
  const takers: { name: string; way: ReplayStanding['way']; take: () => Promise<Replay> }[] = [];
  const faults: Faults[] = [];
  for (const server of servers) {
    const filled = await fill(server, records);
    const check = (texts: readonly string[]): void => void faults.push(checkChains(texts, filled.chains));
    const { name } = server;
    takers.push({ name, way: 'at once', take: () => readAtOnce(server, filled, check) });
    if (filled.stream.replayWithout !== undefined) {
      takers.push({ name, way: 'at once, as never before', take: asNeverBefore(server, filled, check) });
    }
    takers.push({ name, way: 'by SSE', take: () => readByEvents(server, filled, check) });
  }
  const takes = takers.map(({ take }) => take);
  await takeTurns(takes, { timeMs: 0, roundsMin: warmUpRounds });
  const measured = await takeTurns(takes, { timeMs, roundsMin });
  const standings = takers.map(({ name, way }, index) => ({ name, way, replays: measured[index] ?? [] }));
  return { records, standings, faults: sumFaults(faults) };
}

interface Filled extends Served {
  readonly chains: readonly Chain[];
}

async function fill(server: StreamServer, records: number): Promise<Filled> {
  const served = { stream: await server.openStream(), http: httpClient(server.url) };
  const chains = Array.from({ length: fillersInFlight }, newChain);
  const idle = [...chains];
  await closedLoop({ calls: records - 1, inFlight: fillersInFlight }, async () => {
    const chain = idle.shift() as Chain;
    await appendTo(served, chain.next());
    idle.push(chain);
    return 0;
  });
  await appendTo(served, (chains[0] as Chain).next(endMark));
  return { ...served, chains };
}

type Check = (texts: readonly string[]) => void;

async function readAtOnce({ url }: StreamServer, { stream }: Filled, check: Check): Promise<Replay> {
  const { replay, body } = await readTimed({ url, request: stream.replayRequest }, () => false);
  check(stream.recordsOfReplay(body.toString('utf8')));
  return replay;
}

/** Each from another record on, so that no page of it was asked for before. */
function asNeverBefore({ url }: StreamServer, { stream, http }: Filled, check: Check): () => Promise<Replay> {
  let skipped = 0;
  return async () => {
    skipped += 1;
    const request = stream.replayWithout?.(skipped) ?? stream.replayRequest;
    const { replay, body } = await readTimed({ url, request }, () => false);
    const missing = (await replayOf({ stream, http })).slice(0, skipped);
    check([...missing, ...stream.recordsOfReplay(body.toString('utf8'))]);
    return replay;
  };
}

async function readByEvents({ url }: StreamServer, { stream }: Filled, check: Check): Promise<Replay> {
  const { replay, body } = await readTimed({ url, request: stream.tailRequest }, lastEventFinder());
  const texts: string[] = [];
  splitEvents((event) => texts.push(...stream.recordsOfEvent(event)))(body);
  check(texts);
  return replay;
}

/** Until the answer's end, or until `isLast` says so. The body is looked at afterwards: that is not the server's work. */
async function readTimed(
  target: { readonly url: URL; readonly request: string },
  isLast: (bytes: Buffer) => boolean,
): Promise<{ replay: Replay; body: Buffer }> {
  const pieces: Buffer[] = [];
  let finish: () => void = () => {};
  const marked = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const startedAtMs = performance.now();
  const reader = await readBodyOf(target, (bytes) => {
    pieces.push(bytes);
    if (isLast(bytes)) finish();
  });
  await Promise.race([marked, reader.ended]);
  const ms = performance.now() - startedAtMs;
  reader.close();
  await settle();
  const body = Buffer.concat(pieces);
  return { replay: { ms, bytes: body.length }, body };
}

/** The event of the last record is near the end of what comes, and so within the last bytes of a piece. */
function lastEventFinder(): (bytes: Buffer) => boolean {
  const lookBack = 4_096;
  let recent = '';
  return (bytes) => {
    recent = (recent + bytes.toString('latin1', Math.max(0, bytes.length - lookBack))).slice(-lookBack);
    const markedAt = recent.indexOf(endMark);
    return markedAt >= 0 && recent.includes('\n\n', markedAt);
  };
}
