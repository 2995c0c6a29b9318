/**
 * Appends at a set pace, whatever their answers do, and tails that follow them: how long until the acknowledgement, and
 * until each tail has the record. Both count from the moment at which the request was written.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { httpClient } from '../http-connection.ts';
import { residentBytes } from '../memory.ts';
import { settle, takeTurns } from '../rounds.ts';
import { appendTo, replayOf, type Served } from './appender.ts';
import { type Chain, checkChains, type Faults, newChain, sumFaults } from './chain.ts';
import { type BodyReader, readBodyOf, splitEvents } from './event-reader.ts';
import type { StreamServer } from './stream-server.ts';

export interface Pace {
  readonly streams: number;
  readonly tailsEach: number;
  /** Records of each stream. */
  readonly perSecond: number;
  readonly turnMs: number;
}

export interface PacedStanding {
  readonly name: string;
  readonly acksMs: readonly number[];
  readonly deliveriesMs: readonly number[];
  /** Of the server, with all its tails after all its turns, beyond what it was without tails. */
  readonly tailsBytes: number | null;
}

export interface PacedOutcome {
  readonly pace: Pace;
  readonly standings: readonly PacedStanding[];
  readonly faults: Faults;
}

export interface PacedOptions {
  readonly servers: readonly StreamServer[];
  readonly pace: Pace;
  readonly timeMs: number;
}

/** For tails to show what was acknowledged before they are checked; what one has not shown then is lost. */
const deliveryDeadlineMs = 10_000;
const roundsMin = 2;

export async function pacedAppends({ servers, pace, timeMs }: PacedOptions): Promise<PacedOutcome> {
  const fields: Field[] = [];
  for (const server of servers) fields.push(await openField(server, pace));
  const takers = fields.map((field) => () => takeTurn(field, pace));
  await takeTurns(takers, { timeMs: 0, roundsMin: 1 });
  const measured = await takeTurns(takers, { timeMs, roundsMin });
  const faults: Faults[] = [];
  for (const field of fields) faults.push(await checkField(field));
  const standings = fields.map((field, index) => ({
    name: field.server.name,
    acksMs: (measured[index] ?? []).flatMap(({ acksMs }) => acksMs),
    deliveriesMs: (measured[index] ?? []).flatMap(({ deliveriesMs }) => deliveriesMs),
    tailsBytes: field.tailsBytes(),
  }));
  for (const field of fields) field.close();
  return { pace, standings, faults: sumFaults(faults) };
}

interface Paced extends Served {
  readonly chain: Chain;
  readonly sentAtMs: number[];
  /** What each tail has seen. */
  readonly seen: readonly string[][];
}

interface Field {
  readonly server: StreamServer;
  readonly streams: readonly Paced[];
  readonly turn: { deliveriesMs: number[] };
  tailsBytes(): number | null;
  close(): void;
}

async function openField(server: StreamServer, { streams, tailsEach }: Pace): Promise<Field> {
  const http = httpClient(server.url);
  const paced: Paced[] = [];
  while (paced.length < streams) paced.push(await openPaced(server, { http, tailsEach }));
  const bytesBefore = residentBytes(server.pid);
  const turn = { deliveriesMs: [] as number[] };
  const tails: BodyReader[] = [];
  for (const { stream, seen, sentAtMs } of paced) {
    for (const texts of seen) {
      const onEvent = splitEvents((event) => {
        const atMs = performance.now();
        for (const text of stream.recordsOfEvent(event)) {
          turn.deliveriesMs.push(atMs - (sentAtMs[texts.length] ?? Number.NaN));
          texts.push(text);
        }
      });
      tails.push(await readBodyOf({ url: server.url, request: stream.tailRequest }, onEvent));
    }
  }
  return {
    server,
    streams: paced,
    turn,
    tailsBytes() {
      const bytes = residentBytes(server.pid);
      return bytes === null || bytesBefore === null ? null : bytes - bytesBefore;
    },
    close() {
      for (const tail of tails) tail.close();
      http.close();
    },
  };
}

async function openPaced(
  server: StreamServer,
  { http, tailsEach }: Pick<Served, 'http'> & Pick<Pace, 'tailsEach'>,
): Promise<Paced> {
  const seen = Array.from({ length: tailsEach }, (): string[] => []);
  return { stream: await server.openStream(), http, chain: newChain(), sentAtMs: [], seen };
}

interface PacedTurn {
  readonly acksMs: readonly number[];
  readonly deliveriesMs: readonly number[];
}

async function takeTurn({ streams, turn }: Field, { perSecond, turnMs }: Pace): Promise<PacedTurn> {
  turn.deliveriesMs = [];
  const acksMs: number[] = [];
  const intervalMs = 1_000 / perSecond;
  const startAtMs = performance.now();
  await Promise.all(
    streams.map(async (paced, index) => {
      const answered: Promise<void>[] = [];
      // Streams are out of step, as users are.
      const offsetMs = (intervalMs * index) / streams.length;
      for (let dueMs = offsetMs; dueMs < turnMs; dueMs += intervalMs) {
        await sleep(Math.max(0, startAtMs + dueMs - performance.now()));
        answered.push(appendOne(paced).then((ms) => void acksMs.push(ms)));
      }
      await Promise.all(answered);
    }),
  );
  await settle();
  return { acksMs, deliveriesMs: turn.deliveriesMs };
}

async function appendOne(paced: Paced): Promise<number> {
  const startedAtMs = performance.now();
  paced.sentAtMs.push(startedAtMs);
  await appendTo(paced, paced.chain.next());
  return performance.now() - startedAtMs;
}

async function checkField({ streams }: Field): Promise<Faults> {
  const isBehind = () => streams.some(({ chain, seen }) => seen.some((texts) => texts.length < chain.count()));
  for (const endAt = Date.now() + deliveryDeadlineMs; isBehind() && Date.now() < endAt; ) await sleep(20);
  const faults: Faults[] = [];
  for (const { stream, http, chain, seen } of streams) {
    faults.push(checkChains(await replayOf({ stream, http }), [chain]));
    for (const texts of seen) faults.push(checkChains(texts, [chain]));
  }
  return sumFaults(faults);
}
