/** Our own streams: appends with part ids, as the official client sends them, by a secret key. */
import { randomUUID } from 'node:crypto';
import type { CreateClient } from '../create/create-client.ts';
import type { ServerProcess } from '../server-process.ts';
import { requestText, type ServedStream, type StreamServer } from './stream-server.ts';

export interface OurServerOptions {
  readonly name: string;
  readonly server: ServerProcess;
  readonly sessions: CreateClient;
  readonly direction: 'in' | 'out';
  readonly pids: () => readonly number[];
}

export function ourServer({ name, server, sessions, direction, pids }: OurServerOptions): StreamServer {
  const url = new URL(server.url);
  return {
    name,
    url,
    pid: server.pid,
    pids,
    async openStream() {
      const { externalId } = await sessions.createOne();
      return streamAt(url, { path: `/realtime/v1/sessions/${externalId}/${direction}`, secretKey: server.secretKey });
    },
  };
}

/** No run of the bench is ever executed: it is current and live, so that an append to `in` wakes nobody. */
function streamAt({ host }: URL, { path, secretKey }: { path: string; secretKey: string }): ServedStream {
  const common = [`Host: ${host}`, 'Connection: keep-alive', `Authorization: Bearer ${secretKey}`];
  return {
    appendRequest(text) {
      const head = [`POST ${path}/append HTTP/1.1`, ...common, 'Content-Type: application/json'];
      return requestText([...head, `X-Part-Id: ${randomUUID()}`], text);
    },
    isStored: ({ status, body }) => status === 200 && body.startsWith('{"ok":true,"seq":'),
    replayRequest: requestText([`GET ${path}/records HTTP/1.1`, ...common]),
    replayWithout: (firstRecords) =>
      requestText([`GET ${path}/records?afterEventId=${firstRecords - 1} HTTP/1.1`, ...common]),
    recordsOfReplay: (body) =>
      (JSON.parse(body) as { records: readonly { data: string }[] }).records.map(({ data }) => data),
    tailRequest: requestText([`GET ${path} HTTP/1.1`, ...common, 'Accept: text/event-stream', 'Timeout-Seconds: 600']),
    recordsOfEvent(event) {
      if (!event.includes('event: batch\n')) return [];
      const batch = JSON.parse(event.slice(event.indexOf('data: ') + 6)) as { records: readonly { body: string }[] };
      return batch.records.map(({ body }) => (JSON.parse(body) as { data: string }).data);
    },
  };
}
