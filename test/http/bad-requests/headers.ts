/** Headers, credentials, and what the parser itself has to refuse. */
import { type BadRequest, type Headers, latin, type Make, type Targets } from './bad-request.ts';

export function badHeaders({ sessionId }: Targets, make: Make): BadRequest[] {
  const tail = (headers: Headers, name: string) =>
    make(name, { target: `/realtime/v1/sessions/${sessionId}/in`, headers });
  const timeouts = ['x', '-1', '0', '601', '1.5', '1e2', '0x10', '9'.repeat(300), '1 2', 'NaN'];
  return [
    ...timeouts.map((value) => tail([['Timeout-Seconds', value]], `Timeout-Seconds: ${value.slice(0, 20)}`)),
    make('an oversized header', { headers: [['X-Filler', 'x'.repeat(20_000)]] }),
    make('many headers', {
      headers: Array.from({ length: 900 }, (_, index) => [`X-Filler-${index}`, 'xxxxxxxx'] as const),
    }),
    make('an oversized target', { target: `/api/v1/sessions?${'x'.repeat(20_000)}` }),
    make('an oversized part id', {
      method: 'POST',
      target: `/realtime/v1/sessions/${sessionId}/in/append`,
      headers: [['X-Part-Id', 'p'.repeat(257)]],
      body: 'x',
    }),
    make('an expectation', { headers: [['Expect', 'a miracle']] }),
    make('an unknown method', { method: 'BREW' }),
    make('a method in small letters', { method: 'get' }),
    make('CONNECT', { method: 'CONNECT', target: 'api.test:443' }),
    make('TRACE', { method: 'TRACE' }),
    make('PROPFIND', { method: 'PROPFIND' }),
    make('DELETE', { method: 'DELETE', target: `/api/v1/sessions/${sessionId}` }),
    make('an upgrade of what is not there', {
      target: '/nowhere',
      headers: [
        ['Upgrade', 'websocket'],
        ['Connection', 'Upgrade, close'],
      ],
    }),
    make('a snapshot of a bad type', {
      method: 'PUT',
      target: '/objects/v1/sessions/x/snapshot.json',
      headers: [['Content-Type', '\xff']],
      body: 'x',
    }),
  ];
}

export function badCredentials({ secretKey }: Targets, make: Make): BadRequest[] {
  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = (header: unknown, claims: unknown, signature = 'c2lnbmVk') =>
    `Bearer ${encoded(header)}.${encoded(claims)}.${signature}`;
  const claims = { pub: true, sub: 'env_x', scopes: ['admin'], exp: 9_999_999_999 };
  const values = [
    '',
    'Bearer',
    'Bearer ',
    'bearer',
    `Basic ${secretKey}`,
    secretKey,
    `Bearer ${secretKey} x`,
    `Bearer ${secretKey}x`,
    `Bearer ${secretKey.slice(0, -1)}`,
    `Bearer ${secretKey.toUpperCase()}`,
    `Bearer\t${secretKey}`,
    `Bearer ${'x'.repeat(9_000)}`,
    'Bearer \xff',
    'Bearer __proto__',
    'Bearer tr_dev_',
    'Bearer ..',
    'Bearer a.b.c',
    `Bearer ${'.'.repeat(5_000)}`,
    token({ alg: 'none' }, claims, ''),
    token({ alg: 'none' }, claims),
    token({ alg: 'HS256' }, claims),
    token({ alg: 'RS256' }, claims),
    token({ alg: 'HS256' }, { ...claims, sub: '__proto__' }),
    token({ alg: 'HS256' }, { ...claims, sub: { a: 1 } }),
    token({ alg: 'HS256' }, { ...claims, sub: 'a\0b' }),
    token({ alg: 'HS256', crit: ['x'], x: 1 }, claims),
    token(null, claims),
    token({ alg: 'HS256' }, null),
    token([], []),
    token({ alg: 'HS256', typ: 'run+jwt' }, { ...claims, pub: undefined, token_use: 'run' }),
    token({ alg: 'HS256' }, { ...claims, scopes: '__proto__' }),
  ];
  return values.map((value, index) =>
    make(`credential ${index}: ${value.slice(0, 24)}`, { headers: [['Authorization', value]] }),
  );
}

const piecesMax = 40;

function inPieces(bytes: Buffer): Buffer[] {
  const count = Math.min(bytes.length, piecesMax);
  const edge = (index: number) => Math.floor((bytes.length * index) / count);
  return Array.from({ length: count }, (_, index) => bytes.subarray(edge(index), edge(index + 1)));
}

/** What the parser itself has to refuse, alone, in pieces, and behind a request that is in order. */
export function badFraming({ secretKey, sessionId }: Targets, make: Make): BadRequest[] {
  const post = (headers: Headers, body: string) =>
    make('', { method: 'POST', headers, body }).pieces[0] ?? Buffer.alloc(0);
  const usual = `Host: api.test\r\nAuthorization: Bearer ${secretKey}\r\n`;
  const raw: Readonly<Record<string, Buffer>> = {
    'random bytes': Buffer.from(Array.from({ length: 512 }, (_, index) => (index * 197 + 31) % 256)),
    'a TLS hello': Buffer.from('16030100a5010000a10303', 'hex'),
    'a line of nothing': latin('hello\r\n\r\n'),
    'no version': latin(`GET /healthz\r\n${usual}\r\n`),
    'HTTP/9.9': latin(`GET /healthz HTTP/9.9\r\n${usual}\r\n`),
    'HTTP/2 in words': latin(`GET /healthz HTTP/2.0\r\n${usual}\r\n`),
    'a space in the target': latin(`GET /api v1 HTTP/1.1\r\n${usual}\r\n`),
    'a zero byte in the target': latin(`GET /api\0v1 HTTP/1.1\r\n${usual}\r\n`),
    'a tab between': latin(`GET\t/healthz\tHTTP/1.1\r\n${usual}\r\n`),
    'a header without a colon': latin(`GET /healthz HTTP/1.1\r\n${usual}nothing\r\n\r\n`),
    'a header without a name': latin(`GET /healthz HTTP/1.1\r\n${usual}: x\r\n\r\n`),
    'a space before the colon': latin(`GET /healthz HTTP/1.1\r\n${usual}X-A : x\r\n\r\n`),
    'a zero byte in a header': latin(`GET /healthz HTTP/1.1\r\n${usual}X-A: a\0b\r\n\r\n`),
    'a lone carriage return': latin(`GET /healthz HTTP/1.1\r\n${usual}X-A: a\rb\r\n\r\n`),
    'no host at all': latin(`GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n`),
    'two hosts': latin(`GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n`),
    'a negative length': post([['Content-Length', '-1']], 'x'),
    'a length of letters': post([['Content-Length', 'ten']], 'x'),
    'a length with a plus': post([['Content-Length', '+1']], 'x'),
    'a length beyond all numbers': post([['Content-Length', '9'.repeat(40)]], 'x'),
    'two lengths': post(
      [
        ['Content-Length', '1'],
        ['Content-Length', '2'],
      ],
      'x',
    ),
    'a length and chunks': post(
      [
        ['Content-Length', '1'],
        ['Transfer-Encoding', 'chunked'],
      ],
      '0\r\n\r\n',
    ),
    'an unknown encoding': post([['Transfer-Encoding', 'rot13']], 'x'),
    'chunks before another encoding': post([['Transfer-Encoding', 'chunked, gzip']], '0\r\n\r\n'),
    'a chunk of letters': post([['Transfer-Encoding', 'chunked']], 'zz\r\nx\r\n0\r\n\r\n'),
    'a chunk beyond all numbers': post([['Transfer-Encoding', 'chunked']], `${'f'.repeat(40)}\r\nx\r\n0\r\n\r\n`),
    'a chunk longer than it says': post([['Transfer-Encoding', 'chunked']], '1\r\nxyz\r\n0\r\n\r\n'),
    'an extension without end': post([['Transfer-Encoding', 'chunked']], `1;${'x'.repeat(40_000)}\r\nx\r\n0\r\n\r\n`),
    'a broken chunk of a record': Buffer.concat([
      latin(
        `POST /realtime/v1/sessions/${sessionId}/in/append HTTP/1.1\r\n${usual}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxx\r\n`,
      ),
    ]),
  };
  const healthy = latin(`GET /healthz HTTP/1.1\r\n${usual}\r\n`);
  return Object.entries(raw).flatMap(([name, bytes]) => [
    { name, pieces: [bytes] },
    { name: `${name}, in pieces`, pieces: inPieces(bytes) },
    { name: `${name}, behind a request`, pieces: [Buffer.concat([healthy, bytes])], answersBefore: 1 },
  ]);
}
