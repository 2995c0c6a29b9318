/**
 * Appends at a set pace, whatever their answers do, and tails that follow them: how long until the acknowledgement, and
 * until each tail has the record. Both count from the moment at which the request was written.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { httpClient } from '../http-connection.ts';
import { residentBytes } from '../memory.ts';
import { settle, takeTurns } from '../rounds.ts';
import { appendTo, replayOf, type Served } from './appender.ts';
import { type Chain, type ChainLink, checkChains, type Faults, newChain, sumFaults } from './chain.ts';
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
const openedTogether = 50;

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
  readonly chains: Chain[];
  /** Chains without a record in flight: only of one writer do records arrive in the order in which they were sent. */
  readonly idle: Chain[];
  /** By record. */
  readonly sentAtMs: Map<string, number>;
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
  const opening = paced.flatMap(({ stream, seen, sentAtMs }) =>
    seen.map((texts) => async (): Promise<BodyReader> => {
      const onEvent = splitEvents((event) => {
        const atMs = performance.now();
        for (const text of stream.recordsOfEvent(event)) {
          turn.deliveriesMs.push(atMs - (sentAtMs.get(keyOf(text)) ?? Number.NaN));
          texts.push(text);
        }
      });
      return readBodyOf({ url: server.url, request: stream.tailRequest }, onEvent);
    }),
  );
  const tails: BodyReader[] = [];
  while (tails.length < opening.length) {
    const together = opening.slice(tails.length, tails.length + openedTogether);
    tails.push(...(await Promise.all(together.map((open) => open()))));
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
  return { stream: await server.openStream(), http, chains: [], idle: [], sentAtMs: new Map(), seen };
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
    streams.flatMap((paced, index) => {
      // Streams are out of step, as users are.
      const offsetMs = (intervalMs * index) / streams.length;
      return Array.from({ length: Math.ceil((turnMs - offsetMs) / intervalMs) }, async (_append, no) => {
        await sleep(Math.max(0, startAtMs + offsetMs + no * intervalMs - performance.now()));
        acksMs.push(await appendOne(paced));
      });
    }),
  );
  await settle();
  return { acksMs, deliveriesMs: turn.deliveriesMs };
}

async function appendOne(paced: Paced): Promise<number> {
  const chain = paced.idle.pop() ?? newChain();
  if (chain.count() === 0) paced.chains.push(chain);
  const text = chain.next();
  const startedAtMs = performance.now();
  paced.sentAtMs.set(keyOf(text), startedAtMs);
  await appendTo(paced, text);
  paced.idle.push(chain);
  return performance.now() - startedAtMs;
}

function keyOf(text: string): string {
  const { writer, no } = JSON.parse(text) as ChainLink;
  return `${writer}/${no}`;
}

async function checkField({ streams }: Field): Promise<Faults> {
  const sent = ({ chains }: Paced) => chains.reduce((sum, chain) => sum + chain.count(), 0);
  const isBehind = () => streams.some((paced) => paced.seen.some((texts) => texts.length < sent(paced)));
  for (const endAt = Date.now() + deliveryDeadlineMs; isBehind() && Date.now() < endAt; ) await sleep(20);
  const faults: Faults[] = [];
  for (const { stream, http, chains, seen } of streams) {
    faults.push(checkChains(await replayOf({ stream, http }), chains));
    for (const texts of seen) faults.push(checkChains(texts, chains));
  }
  return sumFaults(faults);
}
