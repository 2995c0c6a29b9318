/** One request that no well-behaved client sends, as bytes on the wire. */

export interface BadRequest {
  readonly name: string;
  /** In pieces, each written by itself. */
  readonly pieces: readonly Buffer[];
  /** Answers that come before the refusal. */
  readonly answersBefore?: number;
  /** The answer is that of `HEAD`. */
  readonly isHead?: boolean;
}

/** A session and its run that exist, so that only what is bad is refused. */
export interface Targets {
  readonly secretKey: string;
  readonly sessionId: string;
  readonly runId: string;
}

export type Headers = readonly (readonly [string, string])[];

interface Parts {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: Headers;
  readonly body?: string | Buffer;
}

export const latin = (text: string): Buffer => Buffer.from(text, 'latin1');

export type Make = (name: string, parts: Parts) => BadRequest;

export const makerOf =
  ({ secretKey }: Targets): Make =>
  (name, { method = 'GET', target = '/api/v1/sessions', headers = [], body }) => {
    const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
    const own = new Set(headers.map(([key]) => key.toLowerCase()));
    const usual: Headers = [
      ['Host', 'api.test'],
      ['Authorization', `Bearer ${secretKey}`],
      ['Connection', 'close'],
      ...(body === undefined || own.has('transfer-encoding')
        ? []
        : [['Content-Length', String(bytes.length)] as const]),
    ];
    const lines = [...usual.filter(([key]) => !own.has(key.toLowerCase())), ...headers];
    const head = `${method} ${target} HTTP/1.1\r\n${lines.map(([key, value]) => `${key}: ${value}\r\n`).join('')}\r\n`;
    return { name, isHead: method === 'HEAD', pieces: [Buffer.concat([latin(head), bytes])] };
  };
