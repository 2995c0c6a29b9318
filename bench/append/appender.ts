/** Whoever takes appends: a stream of a server, or a table. */
import { type HttpClient, httpClient } from '../http-connection.ts';
import { type Chain, checkChains, type Faults, newChain } from './chain.ts';
import type { ServedStream, StreamServer } from './stream-server.ts';

/** One stream and its writers. */
export interface Appender {
  append(text: string): Promise<void>;
  readBack(): Promise<readonly string[]>;
}

export interface Writers {
  /** Appends the next record of a writer that has none in flight; resolves to the time until its answer. */
  appendOne(): Promise<number>;
  /** Reads everything back, from all streams. */
  check(): Promise<readonly Faults[]>;
}

export async function appendTo({ stream, http }: Served, text: string): Promise<void> {
  const answer = await http.send(stream.appendRequest(text));
  if (!stream.isStored(answer)) throw new Error(`an append was not stored: ${answer.status} ${answer.body}`);
}

export interface Served {
  readonly stream: ServedStream;
  readonly http: HttpClient;
}

export async function replayOf({ stream, http }: Served): Promise<readonly string[]> {
  const answer = await http.send(stream.replayRequest);
  if (answer.status !== 200) throw new Error(`a stream was not read: ${answer.status} ${answer.body}`);
  return stream.recordsOfReplay(answer.body);
}

export async function appenderAt(server: StreamServer): Promise<Appender> {
  const served = { stream: await server.openStream(), http: httpClient(server.url) };
  return { append: (text) => appendTo(served, text), readBack: () => replayOf(served) };
}

/** @param writers in all; they take the streams in turn */
export function writersOf(appenders: readonly Appender[], writers: number): Writers {
  const chains = appenders.map((): Chain[] => []);
  const idle = Array.from({ length: writers }, (_writer, index) => {
    const stream = index % appenders.length;
    const chain = newChain();
    chains[stream]?.push(chain);
    return { appender: appenders[stream] as Appender, chain };
  });
  return {
    async appendOne() {
      const writer = idle.shift();
      if (writer === undefined) throw new Error(`more than ${writers} appends at once`);
      const text = writer.chain.next();
      const startedAtMs = performance.now();
      await writer.appender.append(text);
      const ms = performance.now() - startedAtMs;
      idle.push(writer);
      return ms;
    },
    check: () =>
      Promise.all(
        appenders.map(async (appender, stream) => checkChains(await appender.readBack(), chains[stream] ?? [])),
      ),
  };
}
