import { describe, expect, test } from 'vitest';
import type { CreateRequest } from '../../src/domain/create-session.ts';
import type { JsonValue } from '../../src/domain/trigger-config.ts';
import { createBody } from '../../src/http/create-body.ts';
import { parseBody } from '../../src/http/json-body.ts';
import { parseJson } from '../../src/http/read-json.ts';

type Fields = { [key: string]: unknown };

const minimal = { type: 'chat.agent', taskIdentifier: 'my-chat', triggerConfig: { basePayload: {} } };
const withFields = (fields: Fields) => ({ ...minimal, ...fields }) as unknown as JsonValue;
const withConfig = (fields: Fields) => withFields({ triggerConfig: { basePayload: {}, ...fields } });
const without = (field: keyof typeof minimal) => withFields({ [field]: undefined });

function accepted(body: JsonValue): CreateRequest {
  const result = parseBody(createBody, body);
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

/** The paths that a refused body is refused for. */
function refusedPaths(body: JsonValue): string[] {
  const result = parseBody(createBody, body);
  if (result.ok) throw new Error('the body was accepted');
  if (result.failure.code !== 'invalid_body') throw new Error(result.failure.code);
  const { message, details } = result.failure;
  expect(message).toMatch(/^Validation error: /);
  for (const detail of details) {
    expect(detail.code).toMatch(/^[a-z_]+$/);
    expect(detail.message).not.toBe('');
    expect(detail.path.every((part) => typeof part === 'string')).toBe(true);
  }
  return details.map((detail) => detail.path.join('.'));
}

const chars = (length: number) => 'x'.repeat(length);
/** 256 characters in 512 UTF-16 units: the page's `maxLength` counts characters. */
const emoji256 = '🙂'.repeat(256);
const list = (length: number, item: unknown = 'tag') => Array.from({ length }, () => item);

describe('every limit of every field of a create', () => {
  test.each<[string, JsonValue, string]>([
    ['type missing', without('type'), 'type'],
    ['type empty', withFields({ type: '' }), 'type'],
    ['type of 65', withFields({ type: chars(65) }), 'type'],
    ['type a number', withFields({ type: 7 }), 'type'],
    ['type null', withFields({ type: null }), 'type'],
    ['type with U+0000', withFields({ type: 'a\0' }), 'type'],
    ['type with half a surrogate pair', withFields({ type: 'a\ud800' }), 'type'],
    ['taskIdentifier missing', without('taskIdentifier'), 'taskIdentifier'],
    ['taskIdentifier empty', withFields({ taskIdentifier: '' }), 'taskIdentifier'],
    ['taskIdentifier of 129', withFields({ taskIdentifier: chars(129) }), 'taskIdentifier'],
    ['taskIdentifier that Temporal keeps', withFields({ taskIdentifier: '__temporal_x' }), 'taskIdentifier'],
    ['taskIdentifier with U+0000', withFields({ taskIdentifier: '\0' }), 'taskIdentifier'],
    ['triggerConfig missing', without('triggerConfig'), 'triggerConfig'],
    ['triggerConfig null', withFields({ triggerConfig: null }), 'triggerConfig'],
    ['triggerConfig a list', withFields({ triggerConfig: [] }), 'triggerConfig'],
    ['externalId null', withFields({ externalId: null }), 'externalId'],
    ['externalId empty', withFields({ externalId: '' }), 'externalId'],
    ['externalId blank', withFields({ externalId: ' \t\n ' }), 'externalId'],
    ['externalId of 257', withFields({ externalId: chars(257) }), 'externalId'],
    ['externalId of 257 emoji', withFields({ externalId: `${emoji256}🙂` }), 'externalId'],
    ['externalId with U+0000', withFields({ externalId: 'a\0b' }), 'externalId'],
    ['externalId with half a pair', withFields({ externalId: 'a\udc00' }), 'externalId'],
    ['externalId reserved', withFields({ externalId: 'session_1' }), 'externalId'],
    ['externalId reserved after trimming', withFields({ externalId: '  session_' }), 'externalId'],
    ['11 tags', withFields({ tags: list(11) }), 'tags'],
    ['tags a text', withFields({ tags: 'tag' }), 'tags'],
    ['tags null', withFields({ tags: null }), 'tags'],
    ['a tag of 129', withFields({ tags: ['ok', chars(129)] }), 'tags.1'],
    ['a tag that is a number', withFields({ tags: [7] }), 'tags.0'],
    ['a tag with U+0000', withFields({ tags: ['\0'] }), 'tags.0'],
    ['metadata null', withFields({ metadata: null }), 'metadata'],
    ['metadata a list', withFields({ metadata: [] }), 'metadata'],
    ['metadata a text', withFields({ metadata: 'a' }), 'metadata'],
    ['expiresAt null', withFields({ expiresAt: null }), 'expiresAt'],
    ['expiresAt no date', withFields({ expiresAt: 'tomorrow' }), 'expiresAt'],
    ['expiresAt a date without a time', withFields({ expiresAt: '2030-01-01' }), 'expiresAt'],
    ['expiresAt without an offset', withFields({ expiresAt: '2030-01-01T00:00:00' }), 'expiresAt'],
    ['expiresAt on 30 February', withFields({ expiresAt: '2030-02-30T00:00:00Z' }), 'expiresAt'],
    ['expiresAt at 24 o clock', withFields({ expiresAt: '2030-01-01T24:00:00Z' }), 'expiresAt'],
    ['expiresAt before 1970', withFields({ expiresAt: '1969-12-31T23:59:59Z' }), 'expiresAt'],
    ['expiresAt after 9999', withFields({ expiresAt: '9999-12-31T23:59:59-01:00' }), 'expiresAt'],
    ['expiresAt a negative number', withFields({ expiresAt: -1 }), 'expiresAt'],
    ['expiresAt a number beyond any date', withFields({ expiresAt: 1e300 }), 'expiresAt'],
    ['expiresAt true', withFields({ expiresAt: true }), 'expiresAt'],
    ['no body but null', null, ''],
    ['no body but a list', [], ''],
    ['no body but a text', 'a', ''],
  ])('%s is refused', (_, body, path) => {
    expect(new Set(refusedPaths(body))).toEqual(new Set([path]));
  });

  test.each<[string, Fields, string]>([
    ['basePayload missing', { basePayload: undefined }, 'basePayload'],
    ['basePayload null', { basePayload: null }, 'basePayload'],
    ['basePayload a list', { basePayload: [] }, 'basePayload'],
    ['an unknown machine', { machine: 'huge' }, 'machine'],
    ['machine null', { machine: null }, 'machine'],
    ['queue of 129', { queue: chars(129) }, 'queue'],
    ['queue with U+0000', { queue: '\0' }, 'queue'],
    ['six tags', { tags: list(6) }, 'tags'],
    ['a tag of 129', { tags: [chars(129)] }, 'tags.0'],
    ['no attempt', { maxAttempts: 0 }, 'maxAttempts'],
    ['11 attempts', { maxAttempts: 11 }, 'maxAttempts'],
    ['half an attempt', { maxAttempts: 1.5 }, 'maxAttempts'],
    ['attempts as text', { maxAttempts: '3' }, 'maxAttempts'],
    ['no duration', { maxDuration: 0 }, 'maxDuration'],
    ['half a second', { maxDuration: 0.5 }, 'maxDuration'],
    ['more than a hundred years', { maxDuration: 3_153_600_001 }, 'maxDuration'],
    ['lockToVersion of 129', { lockToVersion: chars(129) }, 'lockToVersion'],
    ['lockToVersion a number', { lockToVersion: 20_240_523.1 }, 'lockToVersion'],
    ['region of 129', { region: chars(129) }, 'region'],
    ['region with half a pair', { region: '\ud800' }, 'region'],
    ['no idle time', { idleTimeoutInSeconds: 0 }, 'idleTimeoutInSeconds'],
    ['idle time of 3,601', { idleTimeoutInSeconds: 3_601 }, 'idleTimeoutInSeconds'],
    ['three concurrency names', { concurrency: list(3, 'a') }, 'concurrency'],
    ['a concurrency name of 123', { concurrency: [chars(123)] }, 'concurrency.0'],
    ['a concurrency name with a blank', { concurrency: ['a b'] }, 'concurrency.0'],
    ['a concurrency name with a last newline', { concurrency: ['a\n'] }, 'concurrency.0'],
    ['concurrencyKey of 513', { concurrencyKey: chars(513) }, 'concurrencyKey'],
    ['concurrencyKey an object', { concurrencyKey: {} }, 'concurrencyKey'],
    ['externalDeploymentId of 257', { externalDeploymentId: chars(257) }, 'externalDeploymentId'],
    ['externalDeploymentId a number', { externalDeploymentId: 7 }, 'externalDeploymentId'],
    ['ttl negative', { ttl: -1 }, 'ttl'],
    ['ttl half a second', { ttl: 0.5 }, 'ttl'],
    ['ttl no duration', { ttl: 'soon' }, 'ttl'],
    ['ttl empty', { ttl: '' }, 'ttl'],
    ['ttl of ten thousand years', { ttl: '600000w' }, 'ttl'],
    ['ttl null', { ttl: null }, 'ttl'],
  ])('triggerConfig: %s is refused', (_, config, path) => {
    expect(new Set(refusedPaths(withConfig(config)))).toEqual(new Set([`triggerConfig.${path}`]));
  });

  test('the reserved prefix is refused in the words of the SDK', () => {
    const result = parseBody(createBody, withFields({ externalId: ' session_abc ' }));
    expect(result).toMatchObject({
      ok: false,
      failure: {
        details: [{ message: "externalId cannot start with 'session_' (reserved prefix for internal friendlyIds)" }],
      },
    });
  });

  test('names that are within their limits and too long together are refused before anything starts', () => {
    const wide = '漢'.repeat(128);
    const config = { queue: wide, lockToVersion: wide, region: wide, machine: 'small-1x' };
    expect(refusedPaths(withConfig(config))).toEqual(['triggerConfig']);
    expect(accepted(withConfig({ ...config, region: 'eu' }))).toMatchObject({ triggerConfig: { queue: wide } });
  });

  test('several faults are told at once, thousands in a bounded answer', () => {
    expect(refusedPaths(withFields({ type: '', tags: list(11), externalId: '' }))).toEqual([
      'type',
      'externalId',
      'tags',
    ]);
    expect(refusedPaths(withFields({ tags: list(16_000, 1) })).length).toBeLessThanOrEqual(25);
  });
});

describe('what a create accepts', () => {
  test('the least body', () => {
    expect(accepted(withFields({}))).toEqual({ ...minimal, externalId: null });
  });

  test('every field at its limit', () => {
    const config = {
      basePayload: { chatId: 'a' },
      machine: 'large-2x',
      queue: chars(128),
      tags: list(5, chars(128)),
      maxAttempts: 10,
      maxDuration: 3_153_600_000,
      lockToVersion: '20240523.1',
      region: 'eu-central-1',
      idleTimeoutInSeconds: 3_600,
      concurrency: [chars(122), 'a_B-9'],
      concurrencyKey: chars(512),
      externalDeploymentId: chars(256),
      ttl: '1w2d3h4m5s',
    };
    const body = {
      type: chars(64),
      taskIdentifier: chars(128),
      triggerConfig: config,
      externalId: emoji256,
      tags: list(10, chars(128)),
      metadata: {},
    };
    expect(accepted({ ...body, expiresAt: '9999-12-31T23:59:59.999Z' } as unknown as JsonValue)).toEqual({
      ...body,
      expiresAt: new Date('9999-12-31T23:59:59.999Z'),
    });
  });

  test.each([
    ['  chat 1\t', 'chat 1'],
    ['a/b', 'a/b'],
    ['a%2Fb', 'a%2Fb'],
    ['Session_1', 'Session_1'],
    ['a session_1', 'a session_1'],
    [` ${chars(256)} `, chars(256)],
    ['e\u0301', 'e\u0301'],
    ['\u0001', '\u0001'],
    ['__proto__', '__proto__'],
  ])('externalId %j is kept as %j', (given, kept) => {
    expect(accepted(withFields({ externalId: given })).externalId).toBe(kept);
  });

  test.each<[unknown, string]>([
    ['2030-01-01T00:00:00Z', '2030-01-01T00:00:00.000Z'],
    ['2030-01-01T02:00:00+02:00', '2030-01-01T00:00:00.000Z'],
    ['2030-01-01T00:00:00.123456Z', '2030-01-01T00:00:00.123Z'],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
    [1_893_456_000_000, '2030-01-01T00:00:00.000Z'],
    [0, '1970-01-01T00:00:00.000Z'],
  ])('expiresAt %j is %s', (given, iso) => {
    expect(accepted(withFields({ expiresAt: given })).expiresAt?.toISOString()).toBe(iso);
  });

  test.each<[string, Fields, Fields]>([
    ['a number as concurrencyKey becomes text', { concurrencyKey: 7 }, { concurrencyKey: '7' }],
    ['externalDeploymentId is trimmed', { externalDeploymentId: ' dep_1 ' }, { externalDeploymentId: 'dep_1' }],
    ['externalDeploymentId null is absent', { externalDeploymentId: null }, {}],
    ['externalDeploymentId blank is absent', { externalDeploymentId: '  ' }, {}],
    [
      'empty queue, region and version are absent',
      { queue: '', region: '', lockToVersion: '', concurrencyKey: '' },
      {},
    ],
    ['ttl in seconds', { ttl: 0 }, { ttl: 0 }],
    ['ttl in seconds as text', { ttl: '90' }, { ttl: '90' }],
    ['no tags', { tags: [] }, { tags: [] }],
    ['unknown keys are dropped', { priority: 7, maxAttempts: 1 }, { maxAttempts: 1 }],
  ])('triggerConfig: %s', (_, given, kept) => {
    expect(accepted(withConfig(given)).triggerConfig).toStrictEqual({ basePayload: {}, ...kept });
  });

  test('unknown keys are dropped at the top, and kept inside basePayload and metadata', () => {
    const open = { any: { nested: [1, null, { deep: true }] } };
    const request = accepted(withFields({ surprise: 1, metadata: open, triggerConfig: { basePayload: open } }));
    expect(request).toStrictEqual({
      ...minimal,
      externalId: null,
      metadata: open,
      triggerConfig: { basePayload: open },
    });
  });

  test('text that no database column holds survives inside basePayload and metadata', () => {
    const odd = { nul: 'a\0b', half: '\ud800', 'key\0': '\udfff' };
    const request = accepted(withFields({ metadata: odd, triggerConfig: { basePayload: odd } }));
    expect(request.metadata).toEqual(odd);
    expect(JSON.parse(JSON.stringify(request.triggerConfig.basePayload))).toEqual(odd);
  });

  test('keys of prototypes are keys like any other', () => {
    const text = `{"type":"t","taskIdentifier":"k","__proto__":{"externalId":"polluted"},"constructor":{"prototype":{"x":1}},
      "triggerConfig":{"__proto__":{"queue":"polluted"},"basePayload":{"__proto__":{"polluted":true},"constructor":1,"toString":2}}}`;
    const parsed = parseJson(Buffer.from(text));
    if (parsed.kind !== 'json') throw new Error(parsed.kind);
    const request = accepted(parsed.value);
    expect(request.externalId).toBeNull();
    expect(request.triggerConfig.queue).toBeUndefined();
    expect(JSON.stringify(request.triggerConfig.basePayload)).toBe(
      '{"__proto__":{"polluted":true},"constructor":1,"toString":2}',
    );
    expect(({} as Fields)['polluted']).toBeUndefined();
  });
});
