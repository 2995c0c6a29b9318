/** Creates over HTTP, as a client with connections of its own sees them. */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { closedLoop, type Load, type Slot } from '../closed-loop.ts';
import type { ServerProcess } from '../server-process.ts';

export interface CreateClient {
  /** Each call a new external id. */
  create(load: Load): Promise<Slot>;
  /** Each call the same external id and body, of a session that exists. */
  createAgain(load: Load): Promise<Slot>;
  /** One more session. */
  createOne(): Promise<{ readonly sessionId: string; readonly externalId: string }>;
  close(): void;
}

interface Created {
  readonly id: string;
  readonly isCached: boolean;
}

const bodyOf = (externalId: string): string =>
  JSON.stringify({
    type: 'chat.agent',
    externalId,
    taskIdentifier: 'my-chat',
    triggerConfig: { basePayload: { chatId: externalId }, tags: [`chat:${externalId}`] },
  });

export function createClient(server: ServerProcess): CreateClient {
  const agent = new Agent({ keepAlive: true });
  const url = new URL('/api/v1/sessions', server.url);

  /** From the call until the answer's last byte. */
  async function post(body: string): Promise<{ ms: number; status: number; text: string }> {
    const startedAtMs = performance.now();
    const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const headers = {
        Authorization: `Bearer ${server.secretKey}`,
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
      };
      const call = request(url, { agent, method: 'POST', headers }, (response) => {
        let received = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          received += chunk;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text: received }));
        response.once('error', reject);
      });
      call.once('error', reject);
      call.end(body);
    });
    return { ms: performance.now() - startedAtMs, status, text };
  }

  async function expectStatus(body: string, wanted: number): Promise<{ ms: number; created: Created }> {
    const { ms, status, text } = await post(body);
    if (status !== wanted) throw new Error(`a create answered ${status} instead of ${wanted}: ${text}`);
    return { ms, created: JSON.parse(text) as Created };
  }

  async function createOne() {
    const externalId = `chat_${randomUUID()}`;
    const { created } = await expectStatus(bodyOf(externalId), 201);
    return { sessionId: created.id, externalId };
  }

  let known: Promise<string> | null = null;
  return {
    create: (load) => closedLoop(load, async () => (await expectStatus(bodyOf(`chat_${randomUUID()}`), 201)).ms),
    async createAgain(load) {
      known ??= createOne().then(({ externalId }) => bodyOf(externalId));
      const body = await known;
      return closedLoop(load, async () => (await expectStatus(body, 200)).ms);
    },
    createOne,
    close: () => agent.destroy(),
  };
}
