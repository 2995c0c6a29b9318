/** Bodies that are no JSON, or not the JSON that their route takes. */
import type { BadRequest, Make, Targets } from './bad-request.ts';

/** Routes that read a JSON body, with a body that they would take. */
const jsonRoutes = ({ sessionId, runId }: Targets) =>
  [
    ['POST', '/api/v1/sessions', createBody()],
    ['PATCH', `/api/v1/sessions/${sessionId}`, { tags: [] }],
    ['POST', `/api/v1/sessions/${sessionId}/close`, {}],
    ['POST', `/api/v1/sessions/${sessionId}/end-and-continue`, { callingRunId: runId, reason: 'manual' }],
    ['POST', `/api/v1/runs/${runId}/claim`, { attempt: 1 }],
    ['POST', `/api/v1/runs/${runId}/session-streams/wait`, { session: sessionId, io: 'in' }],
    ['POST', '/api/v1/auth/public-tokens', { scopes: ['read:sessions'] }],
  ] as const;

const createBody = (changes: object = {}) => ({
  type: 'chat.agent',
  taskIdentifier: 'nobody-serves-this',
  externalId: 'never-made',
  triggerConfig: { basePayload: {} },
  ...changes,
});

const nested = (depth: number, open: string, close: string): string => open.repeat(depth) + close.repeat(depth);

/** None of them is JSON, or is JSON that may be an object's. */
const noObjects: Readonly<Record<string, string | Buffer>> = {
  'cut short': '{"a":',
  'a trailing comma': '{"a":1,}',
  'two values': '{} {}',
  'single quotes': "{'a':1}",
  'a comment': '{} // x',
  NaN: '{"a":NaN}',
  'a number with a plus': '{"a":+1}',
  'an unclosed text': '{"a":"b}',
  'a raw line break in a text': '{"a":"\n"}',
  'bytes that are no UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
  'an overlong zero': Buffer.from([0x7b, 0x22, 0xc0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
  'an encoded surrogate': Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
  'UTF-16': Buffer.from('\ufeff{}', 'utf16le'),
  'zero bytes': Buffer.alloc(64),
  'deep lists': nested(100_000 / 200, '[', ']'),
  'deep objects': `${'{"a":'.repeat(170)}1`,
  'a list': '[]',
  null: 'null',
  'a text': '"{}"',
  'a number': '42',
  true: 'true',
};

export function badBodies(targets: Targets, make: Make): BadRequest[] {
  return jsonRoutes(targets).flatMap(([method, target]) =>
    Object.entries(noObjects).map(([name, body]) => make(`${method} ${target}: ${name}`, { method, target, body })),
  );
}

const wrong: Readonly<Record<string, unknown>> = {
  'a number': 7,
  'a huge number': 1e308,
  'a list': [[]],
  'an object': { __proto__: null, toString: 1 },
  true: true,
  'a zero byte': 'a\0b',
  'half a pair': '\ud800',
  'a long text': 'x'.repeat(700),
};

/** Fields by route, and what each of them would take of `wrong`. */
export function badFields(targets: Targets, make: Make): BadRequest[] {
  const rows: BadRequest[] = [];
  const [create, update, close, handOver, claim, wait, tokens] = jsonRoutes(targets);
  const add = (
    [method, target, body]: readonly [string, string, object],
    field: string,
    { takes = [], inside = null }: { takes?: readonly string[]; inside?: string | null } = {},
  ) => {
    for (const [name, value] of Object.entries(wrong)) {
      if (takes.includes(name)) continue;
      const outer = body as Record<string, object>;
      const changed =
        inside === null ? { ...body, [field]: value } : { ...body, [inside]: { ...outer[inside], [field]: value } };
      rows.push(
        make(`${method} ${target}: ${inside ?? ''} ${field} is ${name}`, {
          method,
          target,
          body: JSON.stringify(changed),
        }),
      );
    }
  };
  add(create, 'type');
  add(create, 'taskIdentifier');
  add(create, 'externalId');
  add(create, 'tags');
  add(create, 'metadata', { takes: ['an object'] });
  add(create, 'triggerConfig');
  const inside = 'triggerConfig';
  add(create, 'basePayload', { inside, takes: ['an object'] });
  for (const field of ['machine', 'queue', 'tags', 'lockToVersion', 'region']) add(create, field, { inside });
  for (const field of ['maxDuration', 'maxAttempts', 'idleTimeoutInSeconds'])
    add(create, field, { inside, takes: ['a number'] });
  add(create, 'concurrency', { inside });
  add(update, 'tags');
  add(update, 'metadata', { takes: ['an object'] });
  add(update, 'externalId');
  add(close, 'reason');
  add(close, 'callingRunId');
  add(handOver, 'reason');
  add(handOver, 'callingRunId');
  add(claim, 'attempt', { takes: ['a number'] });
  add(wait, 'session');
  add(wait, 'io');
  add(tokens, 'scopes');
  for (const [method, target, body] of [create, handOver, claim, wait, tokens]) {
    const polluting = `{"__proto__":${JSON.stringify(body)}}`;
    const built = `{"constructor":{"prototype":${JSON.stringify(body)}}}`;
    rows.push(make(`${method} ${target}: all of it by __proto__`, { method, target, body: polluting }));
    rows.push(make(`${method} ${target}: all of it by constructor`, { method, target, body: built }));
  }
  return rows;
}
