/** Clients that go on creating sessions, over any of several APIs, and forget nothing that they were told. */
export interface Created {
  readonly id: string;
  readonly runId: string;
}

export interface CreateLoad {
  /** One for each 201. */
  readonly created: readonly Created[];
  /** Creates that found nobody listening, by API; they were sent to the next one. */
  readonly refused: ReadonlyMap<string, number>;
  /**
   * Ids of requests whose connection ended without an answer; they were sent to the next API too. A server that closes
   * an idle connection cannot help it if the next request is on its way. One that it has heard it has to answer.
   */
  readonly unanswered: readonly string[];
  /** Everything else that a client would call a failure; a 503 says to ask again, so only a third is one. */
  readonly failures: readonly string[];
  /** Resolves when every create has its answer. */
  stop(): Promise<void>;
}

export interface CreateLoadOptions {
  readonly urls: readonly string[];
  readonly secretKey: string;
  readonly body: (externalId: string) => Record<string, unknown>;
  readonly inFlight: number;
}

/** As the SDK does, under the same request key: on a machine that is far too busy a deadline may pass. */
const triesMax = 3;

export function startCreateLoad({ urls, secretKey, body, inFlight }: CreateLoadOptions): CreateLoad {
  const created: Created[] = [];
  const failures: string[] = [];
  const unanswered: string[] = [];
  const refused = new Map<string, number>();
  let sent = 0;
  let isStopping = false;

  async function createAt(url: string, name: string): Promise<'answered' | 'unheard'> {
    for (let tries = 1; ; tries += 1) {
      sent += 1;
      const requestId = `${name}.${sent}`;
      try {
        const { status, answer } = await post(url, { secretKey, name, requestId, body: body(name) });
        if (status === 503 && tries < triesMax) continue;
        if (status === 201) created.push(answer);
        else failures.push(`${requestId} at ${url}: ${status} ${JSON.stringify(answer)}`);
        return 'answered';
      } catch (thrown) {
        noteSilence(url, requestId, ((thrown as Error).cause ?? thrown) as NodeJS.ErrnoException);
        return 'unheard';
      }
    }
  }

  function noteSilence(url: string, requestId: string, cause: NodeJS.ErrnoException): void {
    if (cause.code === 'ECONNREFUSED') refused.set(url, (refused.get(url) ?? 0) + 1);
    else if (cause.code === 'UND_ERR_SOCKET' || cause.code === 'ECONNRESET') unanswered.push(requestId);
    else failures.push(`${requestId} at ${url}: ${String(cause)}`);
  }

  async function client(number: number): Promise<void> {
    for (let turn = 0; !isStopping; turn += 1) {
      const name = `load-${number}-${turn}`;
      for (let tries = 0; tries < urls.length; tries += 1) {
        if ((await createAt(urls[(turn + tries) % urls.length] ?? '', name)) === 'answered') break;
      }
    }
  }

  const clients = Array.from({ length: inFlight }, (_, number) => client(number));
  return {
    created,
    refused,
    unanswered,
    failures,
    async stop() {
      isStopping = true;
      await Promise.all(clients);
    },
  };
}

/** Requests that a server has logged as its own, and whose client got no answer: there may be none. */
export const leftInTheLurch = ({ unanswered }: CreateLoad, lines: readonly string[]): string[] =>
  unanswered.filter((requestId) => lines.some((line) => line.includes(`"${requestId}"`)));

interface CreateCall {
  readonly secretKey: string;
  readonly name: string;
  readonly requestId: string;
  readonly body: Record<string, unknown>;
}

async function post(url: string, call: CreateCall): Promise<{ status: number; answer: Created }> {
  const response = await fetch(`${url}/api/v1/sessions`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${call.secretKey}`,
      'Content-Type': 'application/json',
      'x-trigger-request-idempotency-key': call.name,
      'x-request-id': call.requestId,
    },
    body: JSON.stringify(call.body),
  });
  return { status: response.status, answer: (await response.json()) as Created };
}
