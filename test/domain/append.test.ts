import { describe, expect, test } from 'vitest';
import { type AppendFacts, planAppend } from '../../src/domain/append.ts';
import { recordView, withoutWebhookMark } from '../../src/domain/record.ts';
import { isChannelName, kindOf, seqAfter, streamName } from '../../src/domain/stream.ts';

const now = new Date('2026-01-01T00:00:00.000Z');

const gate = (changes = {}) => ({
  runNumber: 3,
  live: true,
  consumed: 8,
  closedAt: null,
  closedReason: null,
  expiresAt: null,
  expiredAt: null,
  ...changes,
});

const facts = (changes: Partial<AppendFacts> = {}): AppendFacts => ({
  stream: 'in',
  next: 12,
  partIds: [null],
  seqOfPart: new Map(),
  now,
  ...changes,
});

describe('a batch for one stream', () => {
  test('gets dense seqs; a part id keeps its first one, within the batch too (V7)', () => {
    const plan = planAppend(gate(), facts({ partIds: ['a', null, 'b', 'a', null], seqOfPart: new Map([['b', 4]]) }));
    expect(plan).toEqual({
      outcomes: [
        { kind: 'stored', seq: 12 },
        { kind: 'stored', seq: 13 },
        { kind: 'duplicate', seq: 4 },
        { kind: 'duplicate', seq: 12 },
        { kind: 'stored', seq: 14 },
      ],
      next: 15,
      wakeAfter: null,
    });
  });

  test.each([
    ['closed before expired', { closedAt: now, closedReason: 'r', expiredAt: now }, { kind: 'closed', reason: 'r' }],
    ['expired', { expiredAt: now }, { kind: 'expired' }],
    ['past its time', { expiresAt: now }, { kind: 'expired' }],
  ])('I4: is refused whole when the session is %s, also what was stored before', (_name, changes, outcome) => {
    const plan = planAppend(
      gate({ live: false, ...changes }),
      facts({ partIds: ['b', null], seqOfPart: new Map([['b', 9]]) }),
    );
    expect(plan).toEqual({ outcomes: [outcome, outcome], next: 12, wakeAfter: null });
  });

  test.each<[string, object, Partial<AppendFacts>, number | null]>([
    ['a new record on a dead run', { live: false }, {}, 3],
    ['a live run', { live: true }, {}, null],
    [
      'V3: a repeated record that no run has consumed',
      { live: false },
      { partIds: ['b'], seqOfPart: new Map([['b', 8]]) },
      3,
    ],
    ['a repeated record that was consumed', { live: false }, { partIds: ['b'], seqOfPart: new Map([['b', 7]]) }, null],
    ['out', { live: false }, { stream: 'out' }, null],
    ['a side channel', { live: false }, { stream: 'logs/in' }, null],
  ])('wakes or not: %s', (_name, changes, appended, wakeAfter) => {
    expect(planAppend(gate(changes), facts(appended)).wakeAfter).toBe(wakeAfter);
  });
});

test.each([
  ['{"payload":{"actionSource":"webhook","a":1},"b":2}', '{"payload":{"a":1},"b":2}'],
  ['{"payload":{"action\\u0053ource":"webhook"}}', '{"payload":{}}'],
  ['{"payload":{"actionSource":"user"}}', '{"payload":{"actionSource":"user"}}'],
  ['{"actionSource":"webhook"}', '{"actionSource":"webhook"}'],
  ['"actionSource" but no JSON', '"actionSource" but no JSON'],
  ['[{"actionSource":"webhook"}]', '[{"actionSource":"webhook"}]'],
  ['null "actionSource"', 'null "actionSource"'],
])('the mark of a webhook is taken off: %s', (text, kept) => {
  expect(withoutWebhookMark(text)).toBe(kept);
});

test('a marked text that is nested too deeply to be written out again is refused', () => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
  expect(withoutWebhookMark(`{"payload":{"actionSource":"webhook","deep":${deep}}}`)).toBeNull();
});

test.each([
  ['an envelope of text', '{"data":"{}","id":"p"}', [], { data: '{}', id: 'p' }],
  ['an envelope of an object', '{"data":{"a":1},"id":"p"}', [], { data: { a: 1 }, id: 'p' }],
  ['no envelope', 'plain', [], { data: '', id: '' }],
  ['no object', '3', [], { data: '', id: '' }],
  ['a control record', '', [['trigger-control', 'turn-complete']], { data: '', id: '' }],
])('a record shows as %s', (_name, body, headers, shown) => {
  const view = recordView({ seq: 4, atMs: 0, headers: headers as never, body });
  expect(view).toEqual({ ...shown, seqNum: 4, ...(headers.length === 0 ? {} : { headers }) });
});

test.each([
  ['7', 8],
  ['7,2,106', 8],
  ['1712150400000-3', 1_712_150_400_001],
  ['0', 1],
  ['', null],
  ['x7', null],
  ['-7', null],
  ['7x', null],
  ['9'.repeat(30), Number.MAX_SAFE_INTEGER],
])('the cursor %j', (cursor, seq) => {
  expect(seqAfter(cursor)).toBe(seq);
});

test('names of channels', () => {
  expect(['a', 'A.b_c-1', '..', 'x'.repeat(128)].every(isChannelName)).toBe(true);
  expect(['', 'a/b', 'a b', 'ü', 'x'.repeat(129)].some(isChannelName)).toBe(false);
  expect([streamName(null, 'in'), streamName('logs', 'out')]).toEqual(['in', 'logs/out']);
  expect([kindOf('in'), kindOf('out'), kindOf('in/in')]).toEqual(['in', 'out', 'side']);
});
