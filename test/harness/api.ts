/** The HTTP API as a plain client sees it: status, headers, parsed body; each answer is one that the API document knows. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expectDocumented } from './api-document.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint: the body is whatever the server sent; tests assert on it.
  readonly body: any;
}

export interface Call {
  readonly method?: string;
  /** Default: the dev key of the site. Null: no credential at all. */
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Api {
  call(path: string, call?: Call): Promise<Answer>;
  create(changes?: Readonly<Record<string, unknown>>, call?: Omit<Call, 'body' | 'method'>): Promise<Answer>;
  session(key: string, call?: Call): Promise<Answer>;
  run(runId: string, call?: Call): Promise<Answer>;
  cancel(runId: string, call?: Omit<Call, 'method'>): Promise<Answer>;
  /** The run once it satisfies the test. */
  runWhen(runId: string, test: (run: Answer['body']) => boolean): Promise<Answer['body']>;
}

/** The body of a create that every server takes, for the task of `test/harness/tasks.ts`. */
export const createBody = (changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
  type: 'chat.agent',
  taskIdentifier: 'hold',
  triggerConfig: { basePayload: {} },
  ...changes,
});

const waitDeadlineMs = 30_000;

function bodyOf({ headers }: Response, text: string): unknown {
  if (text === '') return null;
  return headers.get('content-type')?.startsWith('text/plain') === true ? text : JSON.parse(text);
}

export function apiOf(url: string, defaultKey: string): Api {
  async function call(
    path: string,
    { method = 'GET', key = defaultKey, headers = {}, body }: Call = {},
  ): Promise<Answer> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(key === null ? {} : { Authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    await expectDocumented(method, path, response);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: bodyOf(response, text) };
  }
  const api: Api = {
    call,
    create: (changes, options) => call('/api/v1/sessions', { ...options, method: 'POST', body: createBody(changes) }),
    session: (key, options) => call(`/api/v1/sessions/${encodeURIComponent(key)}`, options),
    run: (runId, options) => call(`/api/v3/runs/${runId}`, options),
    cancel: (runId, options) => call(`/api/v2/runs/${runId}/cancel`, { ...options, method: 'POST' }),
    async runWhen(runId, test) {
      for (const deadline = Date.now() + waitDeadlineMs; ; await sleep(25)) {
        const { body } = await api.run(runId);
        if (test(body)) return body;
        if (Date.now() > deadline) throw new Error(`run ${runId} did not get there: ${JSON.stringify(body)}`);
      }
    },
  };
  return api;
}
