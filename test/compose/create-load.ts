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
  const refused = new Map<string, number>();
  let sent = 0;
  let isStopping = false;

  async function createAt(url: string, externalId: string, tries = 1): Promise<'answered' | 'refused'> {
    try {
      const response = await fetch(`${url}/api/v1/sessions`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${secretKey}`,
          'Content-Type': 'application/json',
          'x-trigger-request-idempotency-key': externalId,
        },
        body: JSON.stringify(body(externalId)),
      });
      const answer = (await response.json()) as Created;
      if (response.status === 503 && tries < triesMax) return await createAt(url, externalId, tries + 1);
      if (response.status === 201) created.push(answer);
      else failures.push(`${externalId} at ${url}: ${response.status} ${JSON.stringify(answer)}`);
    } catch (thrown) {
      const { code } = ((thrown as Error).cause ?? thrown) as NodeJS.ErrnoException;
      if (code === 'ECONNREFUSED') return 'refused';
      failures.push(`${externalId} at ${url}: ${code} ${String((thrown as Error).cause ?? thrown)}`);
    }
    return 'answered';
  }

  async function client(): Promise<void> {
    while (!isStopping) {
      sent += 1;
      const externalId = `load ${sent}`;
      for (let tries = 0; tries < urls.length; tries += 1) {
        const url = urls[(sent + tries) % urls.length] ?? '';
        if ((await createAt(url, externalId)) === 'answered') break;
        refused.set(url, (refused.get(url) ?? 0) + 1);
      }
    }
  }

  const clients = Array.from({ length: inFlight }, client);
  return {
    created,
    refused,
    failures,
    async stop() {
      isStopping = true;
      await Promise.all(clients);
    },
  };
}
