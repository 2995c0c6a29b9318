/** Creates over HTTP, as a client with connections of its own sees them. */
import { randomUUID } from 'node:crypto';
import { closedLoop, type Load, type Slot } from '../closed-loop.ts';
import { httpClient } from '../http-connection.ts';
import type { ServerProcess } from '../server-process.ts';

export interface CreateClient {
  /** Each call a new external id. */
  create(load: Load): Promise<Slot>;
  /** Each call the same external id and body, of a session that exists. */
  createAgain(load: Load): Promise<Slot>;
  /** Each call a session that this client has made at its server, asked of `server`, which has never seen it. */
  createAt(server: CreateClient, load: Load): Promise<Slot>;
  /** One call, with an answer's status that is wanted. @returns milliseconds */
  send(externalId: string, wanted: 200 | 201): Promise<number>;
  /** One more session. */
  createOne(): Promise<{ readonly externalId: string }>;
  close(): void;
}

const newExternalId = (): string => `chat_${randomUUID()}`;

export function createClient(server: ServerProcess): CreateClient {
  const url = new URL(server.url);
  const http = httpClient(url);

  /** Milliseconds from the call until the answer's last byte. */
  async function create(externalId: string, wanted: 200 | 201): Promise<number> {
    const request = requestOf(url, { secretKey: server.secretKey, externalId });
    const startedAtMs = performance.now();
    const { status, body } = await http.send(request);
    const ms = performance.now() - startedAtMs;
    if (status !== wanted) throw new Error(`a create answered ${status} instead of ${wanted}: ${body}`);
    return ms;
  }

  async function createOne(): Promise<{ externalId: string }> {
    const externalId = newExternalId();
    await create(externalId, 201);
    return { externalId };
  }

  /** Made here, and asked for nowhere else yet. */
  const unasked: string[] = [];
  let known: Promise<{ externalId: string }> | null = null;
  return {
    create: (load) =>
      closedLoop(load, () => {
        const externalId = newExternalId();
        unasked.push(externalId);
        return create(externalId, 201);
      }),
    createAt: ({ send }, load) => closedLoop(load, () => send(unasked.shift() ?? '', 200)),
    send: create,
    async createAgain(load) {
      known ??= createOne();
      const { externalId } = await known;
      return closedLoop(load, () => create(externalId, 200));
    },
    createOne,
    close: http.close,
  };
}

/** The seed page's own example; its head is as long as the official client's. */
function requestOf({ host }: URL, { secretKey, externalId }: { secretKey: string; externalId: string }): string {
  const body = JSON.stringify({
    type: 'chat.agent',
    externalId,
    taskIdentifier: 'my-chat',
    triggerConfig: { basePayload: { chatId: externalId }, tags: [`chat:${externalId}`] },
  });
  const head = [
    'POST /api/v1/sessions HTTP/1.1',
    `Host: ${host}`,
    'Connection: keep-alive',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Authorization: Bearer ${secretKey}`,
    'trigger-version: 4.8.3',
    'x-trigger-api-version: 2025-07-16',
    'x-trigger-source: sdk',
    `x-trigger-request-idempotency-key: ${randomUUID()}`,
    'Accept: */*',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
