/** Sessions whose tasks converse: a server, workers in this process, and the streams as a client sees them. */
import { vi } from 'vitest';
import { defineTask, type RunContext, startTaskWorker, type TaskWorker } from '../../src/tasks/index.ts';
import type { Answer } from '../harness/api.ts';
import { freePort } from '../harness/free-port.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';

export interface ConversationStage {
  readonly site: Site;
  readonly server: TestServer;
  /** Serves a task of this function, until the stage is closed. Returns its id. */
  serve(run: (context: RunContext) => unknown): Promise<string>;
  /** A new session and its first run. */
  open(taskIdentifier: string, triggerConfig?: Readonly<Record<string, unknown>>): Promise<Conversation>;
  /** Stops the server, and starts it again where it was. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface Conversation {
  readonly id: string;
  readonly runId: string;
  say(text: string, partId?: string): Promise<number>;
  /** The records of `out`, or of another stream. */
  records(stream?: string): Promise<readonly ReadRecord[]>;
  /** Once as many turns are complete. */
  recordsAfterTurns(turns: number): Promise<readonly ReadRecord[]>;
  /** The run when it is over; default: the first. */
  ended(runId?: string): Promise<Answer['body']>;
  currentRunId(): Promise<string | null>;
}

export interface ReadRecord {
  readonly data: unknown;
  readonly id: string;
  readonly seqNum: number;
  readonly headers?: readonly (readonly [string, string])[];
}

/** Starting a server takes seconds on a busy machine. */
export const patience = { timeout: 30_000, interval: 50 };

export async function openConversationStage(): Promise<ConversationStage> {
  const site = await openSite();
  const environment = { PORT: String(await freePort()) };
  let server = await startTestServer({ site, environment });
  const workers: TaskWorker[] = [];
  let tasks = 0;
  const closing = new AbortController();
  return {
    site,
    get server() {
      return server;
    },
    async serve(run) {
      tasks += 1;
      const id = `task-${tasks}`;
      const worker = await startTaskWorker({
        tasks: [defineTask({ id, run: (_payload, context) => run(context) })],
        secretKey: site.devKey,
        apiUrl: server.url,
        temporal: { address: site.temporalAddress, namespace: site.namespace },
        shutdownGraceMs: 0,
        // Each worker by itself would listen to the signals of the process.
        signal: closing.signal,
      });
      workers.push(worker);
      return id;
    },
    async open(taskIdentifier, triggerConfig = {}) {
      const { status, body } = await server.api.create({
        taskIdentifier,
        triggerConfig: { basePayload: {}, ...triggerConfig },
      });
      if (status !== 201) throw new Error(`create answered ${status}: ${JSON.stringify(body)}`);
      return conversationOf(() => server, body);
    },
    async restart() {
      await server.stop();
      server = await startTestServer({ site, environment });
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.stop()));
      await server.stop();
      await site.remove();
    },
  };
}

export function conversationOf(
  server: () => Pick<TestServer, 'api'>,
  { id, runId }: { readonly id: string; readonly runId: string },
): Conversation {
  const path = `/realtime/v1/sessions/${id}`;
  const records = async (stream = 'out') =>
    (await server().api.call(`${path}/${stream}/records`)).body.records as readonly ReadRecord[];
  return {
    id,
    runId,
    async say(text, partId) {
      const { status, body } = await server().api.call(`${path}/in/append`, {
        method: 'POST',
        body: text,
        headers: partId === undefined ? {} : { 'X-Part-Id': partId },
      });
      if (status !== 200) throw new Error(`append answered ${status}: ${JSON.stringify(body)}`);
      return body.seq;
    },
    records,
    recordsAfterTurns: (turns) =>
      vi.waitFor(async () => {
        const found = await records();
        const complete = found.filter((record) => controlOf(record) === 'turn-complete');
        if (complete.length < turns) throw new Error(`${complete.length} of ${turns} turns are complete`);
        return found;
      }, patience),
    ended: (endedRunId = runId) => server().api.runWhen(endedRunId, (run) => run.isCompleted),
    currentRunId: async () => (await server().api.session(id)).body.currentRunId,
  };
}

export const controlOf = ({ headers = [] }: ReadRecord): string | undefined =>
  headers.find(([name]) => name === 'trigger-control')?.[1];
