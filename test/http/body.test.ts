import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CreateRequest } from '../../src/domain/create-session.ts';
import { createBodyBytesMax, jsonDepthMax } from '../../src/domain/limits.ts';
import { parseJson, readBytes } from '../../src/http/read-json.ts';
import { requestKeyOf } from '../../src/http/request-key.ts';
import { type Edge, headOf, openRaw, refusingUseCases, startEdge } from './edge.ts';

const chars = (length: number) => 'x'.repeat(length);

describe('JSON', () => {
  const nested = (depth: number, open = '[', close = ']') => Buffer.from(open.repeat(depth) + close.repeat(depth));

  test('is read as deep as the limit and no deeper', () => {
    expect(parseJson(nested(jsonDepthMax)).kind).toBe('json');
    expect(parseJson(nested(jsonDepthMax + 1)).kind).toBe('too deep');
    expect(parseJson(nested(jsonDepthMax + 1, '{"a":', '}')).kind).toBe('too deep');
    expect(parseJson(nested(1_000_000)).kind).toBe('too deep');
  });

  test('brackets inside texts and beside each other are no depth', () => {
    const many = jsonDepthMax * 4;
    expect(
      parseJson(Buffer.from(JSON.stringify({ text: '[{"\\'.repeat(many), ['[\\"'.repeat(many)]: '\\\\' }))).kind,
    ).toBe('json');
    expect(parseJson(Buffer.from(`[${'[],{},'.repeat(many)}0]`)).kind).toBe('json');
  });

  test.each([
    ['empty', Buffer.alloc(0), 'empty'],
    ['blank', Buffer.from(' \n'), 'invalid'],
    ['cut short', Buffer.from('{"a":'), 'invalid'],
    ['with a trailing comma', Buffer.from('{"a":1,}'), 'invalid'],
    ['with something behind it', Buffer.from('{} {}'), 'invalid'],
    ['of an unclosed text', Buffer.from('"abc\\"'), 'invalid'],
    ['in bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'invalid'],
    ['in an overlong form', Buffer.from([0x22, 0xc0, 0x80, 0x22]), 'invalid'],
    ['with an encoded half of a pair', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'invalid'],
    ['in UTF-16', Buffer.from('{}', 'utf16le'), 'invalid'],
    ['with more closed than opened', Buffer.from(']]]]'), 'invalid'],
  ])('%s is refused', (_, bytes, kind) => {
    expect(parseJson(bytes).kind).toBe(kind);
  });
});

describe('bytes on the wire', () => {
  const requests: CreateRequest[] = [];
  let edge: Edge;
  beforeAll(async () => {
    const createSession = ({ request }: { request: CreateRequest }) => {
      requests.push(request);
      return refusingUseCases.createSession();
    };
    edge = await startEdge({ useCases: { ...refusingUseCases, createSession } });
  });
  afterAll(() => edge.close());

  /** A create body of exactly so many bytes; its characters take two bytes each, so they cannot be what is counted. */
  function bodyOf(bytes: number): string {
    const triggerConfig = { basePayload: {} };
    const body = (filler: string) =>
      JSON.stringify({ type: 't', taskIdentifier: 'task', triggerConfig, metadata: { filler } });
    const room = bytes - Buffer.byteLength(body(''));
    return body('é'.repeat(Math.floor(room / 2)) + 'x'.repeat(room % 2));
  }

  const tooLarge = {
    error: 'Request body exceeds 32KB',
    details: [{ code: 'too_big', message: 'Request body exceeds 32KB', path: [] }],
  };

  async function* inPieces(text: string): AsyncGenerator<Buffer> {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 1_000) yield bytes.subarray(at, at + 1_000);
  }

  const post = (body: NonNullable<RequestInit['body']>) => {
    const init = { method: 'POST', body, duplex: 'half' };
    return edge.fetch('/api/v1/sessions', init as RequestInit);
  };

  test.each(['whole', 'chunked'])('a %s body of 32,768 bytes is read, one more is not', async (manner) => {
    const send = (text: string) => post(manner === 'whole' ? text : inPieces(text));
    const fits = await send(bodyOf(createBodyBytesMax));
    expect(await fits.json()).toEqual({ error: 'Something went wrong' });
    expect(requests.at(-1)?.metadata?.['filler']).toMatch(/^é+x?$/);
    const before = requests.length;
    const refused = await send(bodyOf(createBodyBytesMax + 1));
    expect([refused.status, await refused.json()]).toEqual([422, tooLarge]);
    expect(requests).toHaveLength(before);
  });

  test.each([
    ['', 'Request body is empty'],
    ['{"type":', 'Invalid JSON'],
    [Buffer.from([0x22, 0xff, 0x22]), 'Invalid JSON'],
    ['['.repeat(300), `JSON is nested deeper than ${jsonDepthMax} levels`],
  ])('create answers 422 with details for a body that is no JSON', async (body, message) => {
    const answer = await post(body);
    expect([answer.status, await answer.json()]).toEqual([
      422,
      { error: message, details: [{ code: 'custom', message, path: [] }] },
    ]);
  });

  test.each([
    ['', 400, 'Request body is empty'],
    ['{', 400, 'Invalid JSON'],
    ['{"attempt":0}', 400, expect.stringMatching(/^Validation error: .* at "attempt"$/)],
    ['{"attempt":1.5}', 400, expect.stringMatching(/^Validation error: /)],
    ['{"attempt":"1"}', 400, expect.stringMatching(/^Validation error: /)],
    ['{"attempt":2147483648}', 400, expect.stringMatching(/^Validation error: /)],
    [`{"attempt":1,"x":"${chars(1_100)}"}`, 413, 'Request body too large'],
  ])('claim answers without details: %#', async (body, status, error) => {
    const answer = await edge.fetch('/api/v1/runs/run_1/claim', { method: 'POST', body });
    expect([answer.status, await answer.json()]).toEqual([status, { error }]);
  });

  test('a declared length over the limit is refused before a byte of it is read', async () => {
    const client = await openRaw(edge.port);
    client.send(headOf('POST', '/api/v1/sessions', { 'Content-Length': '10000000000' }));
    await expect.poll(() => client.received()).toContain('Request body exceeds 32KB');
    expect(client.received()).toMatch(/^HTTP\/1.1 422 /);
    expect(client.received()).toMatch(/Connection: close/i);
    await expect.poll(() => client.isEnded(), { timeout: 5_000 }).toBe(true);
  });

  test('a client that never stops sending gets its answer, then the connection ends', async () => {
    const client = await openRaw(edge.port);
    client.send(headOf('POST', '/api/v1/sessions', { 'Transfer-Encoding': 'chunked' }));
    const chunk = `10000\r\n${chars(65_536)}\r\n`;
    let sentBytes = 0;
    const pump = (): void => {
      while (!client.isEnded() && client.socket.writable) {
        sentBytes += chunk.length;
        if (!client.socket.write(chunk)) return;
      }
    };
    client.socket.on('drain', pump);
    pump();
    await expect.poll(() => client.isEnded(), { timeout: 5_000 }).toBe(true);
    expect(client.received()).toMatch(/^HTTP\/1.1 422 /);
    expect(client.received()).toContain('Request body exceeds 32KB');
    expect(sentBytes).toBeLessThan(32 * 1_048_576);
  });

  test('a client that stops in the middle of a refused body does not keep the connection', async () => {
    const client = await openRaw(edge.port);
    client.send(headOf('POST', '/api/v1/sessions', { 'Transfer-Encoding': 'chunked' }));
    client.send(`9000\r\n${chars(0x9000)}`);
    await expect.poll(() => client.received()).toContain('Request body exceeds 32KB');
    await expect.poll(() => client.isEnded(), { timeout: 5_000 }).toBe(true);
  });

  test('an answer that needs no body leaves before it, and does not wait for the rest', async () => {
    const client = await openRaw(edge.port);
    client.send(
      headOf('POST', '/api/v1/sessions', { Authorization: 'Bearer tr_dev_unknown000000000', 'Content-Length': '500' }),
    );
    await expect.poll(() => client.received()).toContain('Invalid API key');
    await expect.poll(() => client.isEnded(), { timeout: 5_000 }).toBe(true);
  });

  test('a body that was read leaves the connection open for the next request', async () => {
    const client = await openRaw(edge.port);
    const body = '{"type":""}';
    client.send(headOf('POST', '/api/v1/sessions', { 'Content-Length': String(body.length) }) + body);
    await expect.poll(() => client.received()).toContain('Validation error');
    client.send(headOf('GET', '/healthz'));
    await expect.poll(() => client.received()).toContain('{"status":"ok"}');
    client.socket.destroy();
  });

  test('a client that leaves in the middle of its body is no fault', async () => {
    const client = await openRaw(edge.port);
    client.send(`${headOf('POST', '/api/v1/sessions', { 'Content-Length': '500', 'x-request-id': 'left' })}{"type"`);
    client.socket.end();
    client.socket.destroy();
    await expect.poll(() => edge.facts).toContainEqual(expect.objectContaining({ requestId: 'left', aborted: true }));
    expect(edge.facts.filter((fact) => fact.kind === 'request_failed' && fact.requestId === 'left')).toEqual([]);
  });
});

test('a body that trickles is given up at its deadline', async () => {
  const server = createServer((request, response) => {
    void readBytes(request, 1_000, 100).then((read) => response.end(read.kind));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = await openRaw((server.address() as AddressInfo).port);
  client.send(`${headOf('POST', '/', { 'Content-Length': '500' })}{`);
  await expect.poll(() => client.received()).toContain('too slow');
  client.socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

describe('the request key', () => {
  test('is the header while that is short and plain, else a digest of it', () => {
    expect(requestKeyOf('3b0c1f6e-8a57-4c8e-9c5b-0d7e6f5a4b3c')).toBe('3b0c1f6e-8a57-4c8e-9c5b-0d7e6f5a4b3c');
    expect(requestKeyOf(chars(128))).toBe(chars(128));
    for (const odd of [chars(129), 'a b', 'é', 'a\tb']) {
      expect(requestKeyOf(odd)).toMatch(/^sha256-[0-9a-f]{64}$/);
      expect(requestKeyOf(odd)).toBe(requestKeyOf(odd));
    }
    expect(requestKeyOf('é')).not.toBe(requestKeyOf('è'));
  });

  test('is fresh for each request without the header', () => {
    expect(requestKeyOf('')).toMatch(/^[0-9a-f-]{36}$/);
    expect(requestKeyOf('')).not.toBe(requestKeyOf(''));
  });
});
