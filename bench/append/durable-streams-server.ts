/**
 * `@durable-streams/server`, file-backed, in a process of its own. Streams are of JSON, so that a plain read is a list.
 * Its appends carry no producer ids, which would have it keep every producer's state with each record: so they are
 * cheaper than ours, which are stored once however often they are sent.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StopStack } from '../../src/stop-stack.ts';
import { forkProgram } from '../forked-program.ts';
import { httpClient } from '../http-connection.ts';
import type { DurableStreamsReady } from './durable-streams-program.ts';
import { requestText, type ServedStream, type StreamServer } from './stream-server.ts';

export async function startDurableStreams(stops: StopStack): Promise<StreamServer> {
  const folder = mkdtempSync(join(tmpdir(), 'perdure-bench-'));
  stops.push('folder of streams', async () => rmSync(folder, { recursive: true, force: true }), 5_000);
  const program = new URL('./durable-streams-program.ts', import.meta.url);
  const forked = forkProgram<never, DurableStreamsReady>({ program, args: [folder], isQuiet: true }, stops);
  const url = new URL((await forked.next()).url);
  const http = httpClient(url);
  stops.push('http client', async () => http.close(), 1_000);
  return {
    name: '@durable-streams/server',
    url,
    pid: forked.pid,
    pids: () => [forked.pid],
    async openStream() {
      const path = `/v1/stream/${randomUUID()}`;
      const head = [`PUT ${path} HTTP/1.1`, `Host: ${url.host}`, 'Content-Type: application/json'];
      const { status, body } = await http.send(requestText([...head, 'Content-Length: 0']));
      if (status !== 201) throw new Error(`a stream was not made: ${status} ${body}`);
      return streamAt(url, path);
    },
  };
}

function streamAt({ host }: URL, path: string): ServedStream {
  const common = [`Host: ${host}`, 'Connection: keep-alive'];
  return {
    appendRequest: (text) => requestText([`POST ${path} HTTP/1.1`, ...common, 'Content-Type: application/json'], text),
    isStored: ({ status }) => status === 200 || status === 204,
    replayRequest: requestText([`GET ${path}?offset=-1 HTTP/1.1`, ...common]),
    recordsOfReplay: textsOf,
    tailRequest: requestText([`GET ${path}?offset=-1&live=sse HTTP/1.1`, ...common, 'Accept: text/event-stream']),
    recordsOfEvent(event) {
      if (!event.startsWith('event: data\n')) return [];
      return textsOf(event.slice('event: data\n'.length).replaceAll(/^data:/gm, ''));
    },
  };
}

/** It stores values and not texts: ours come back as they were because they hold no spaces between their parts. */
const textsOf = (list: string): string[] => (JSON.parse(list) as unknown[]).map((value) => JSON.stringify(value));
