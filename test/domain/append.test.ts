import { describe, expect, test } from 'vitest';
import { type AppendFacts, type ArrivingAppend, planAppend } from '../../src/domain/append.ts';
import { type NewRecord, recordView, trimPoint, withoutWebhookMark } from '../../src/domain/record.ts';
import { isChannelName, kindOf, seqAfter, streamName } from '../../src/domain/stream.ts';

const now = new Date('2026-01-01T00:00:00.000Z');

const gate = (changes = {}) => ({
  runNumber: 3,
  live: true,
  consumed: 8,
  next: 12,
  closedAt: null,
  closedReason: null,
  expiresAt: null,
  expiredAt: null,
  ...changes,
});

const data: NewRecord = { headers: [], body: '{}' };
const control = (subtype: string): NewRecord => ({ headers: [['trigger-control', subtype]], body: '' });
const trim = (point: number | bigint): NewRecord => {
  const body = Buffer.alloc(8);
  body.writeBigUInt64BE(BigInt(point));
  return { headers: [['', 'trim']], body };
};

const arriving = (changes: Partial<ArrivingAppend> = {}): ArrivingAppend => ({
  partId: null,
  matchSeq: null,
  records: [data],
  standing: 'unfenced',
  ...changes,
});

const parts = (...partIds: (string | null)[]) => partIds.map((partId) => arriving({ partId }));
const kindsOf = (plan: ReturnType<typeof planAppend>) => plan.outcomes.map(({ kind }) => kind);

const facts = (changes: Partial<AppendFacts> = {}): AppendFacts => ({
  stream: 'in',
  next: 12,
  trimmedBefore: 2,
  arriving: [arriving()],
  seqOfPart: new Map(),
  now,
  ...changes,
});

describe('a turn-complete', () => {
  const turn = (seq: string): NewRecord => ({
    headers: [
      ['trigger-control', 'turn-complete'],
      ['session-in-event-id', seq],
    ],
    body: '',
  });
  const consumedBy = (records: readonly NewRecord[], changes: Partial<AppendFacts> = {}) =>
    planAppend(gate(), facts({ stream: 'out', arriving: [arriving({ records })], ...changes })).consumed;

  test('consumes what it has answered, the furthest of several, and nothing that is not there', () => {
    expect(consumedBy([turn('9')])).toBe(10);
    expect(consumedBy([turn('10'), turn('4'), data])).toBe(11);
    expect(consumedBy([turn('900')])).toBe(12);
  });

  test('consumes nothing without a seq, on another stream, from a writer that is fenced out, or a second time', () => {
    for (const seq of ['', 'x', '-1', '1.5', '9'.repeat(20)]) expect(consumedBy([turn(seq)])).toBeNull();
    expect(consumedBy([control('turn-complete'), control('chapter')])).toBeNull();
    expect(consumedBy([turn('9')], { stream: 'tools/out' })).toBeNull();
    const refused = [arriving({ records: [turn('9')], standing: 'fenced out' })];
    const repeated = [arriving({ records: [turn('9')], partId: 'a' })];
    expect(consumedBy([], { arriving: refused })).toBeNull();
    expect(consumedBy([], { arriving: repeated, seqOfPart: new Map([['a', 3]]) })).toBeNull();
  });
});

describe('a batch for one stream', () => {
  test('gets dense seqs; a part id keeps its first one, within the batch too (V7)', () => {
    const plan = planAppend(
      gate(),
      facts({ arriving: parts('a', null, 'b', 'a', null), seqOfPart: new Map([['b', 4]]) }),
    );
    expect(plan).toEqual({
      outcomes: [
        { kind: 'stored', seq: 12 },
        { kind: 'stored', seq: 13 },
        { kind: 'duplicate', seq: 4 },
        { kind: 'duplicate', seq: 12 },
        { kind: 'stored', seq: 14 },
      ],
      next: 15,
      trimmedBefore: 2,
      isTrimmed: false,
      consumed: null,
      settled: false,
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
      facts({ arriving: parts('b', null), seqOfPart: new Map([['b', 9]]) }),
    );
    expect(plan).toMatchObject({ outcomes: [outcome, outcome], next: 12, settled: null, wakeAfter: null });
  });

  test.each<[string, object, Partial<AppendFacts>, number | null]>([
    ['a new record on a dead run', { live: false }, {}, 3],
    ['a live run', { live: true }, {}, null],
    [
      'V3: a repeated record that no run has consumed',
      { live: false },
      { arriving: parts('b'), seqOfPart: new Map([['b', 8]]) },
      3,
    ],
    [
      'a repeated record that was consumed',
      { live: false },
      { arriving: parts('b'), seqOfPart: new Map([['b', 7]]) },
      null,
    ],
    ['out', { live: false }, { stream: 'out' }, null],
    ['a side channel', { live: false }, { stream: 'logs/in' }, null],
  ])('wakes or not: %s', (_name, changes, appended, wakeAfter) => {
    expect(planAppend(gate(changes), facts(appended)).wakeAfter).toBe(wakeAfter);
  });
});

describe('an append of several records', () => {
  test('gets contiguous seqs, and is repeated as a whole', () => {
    const several = arriving({ partId: 'p', records: [data, data, data] });
    const plan = planAppend(gate(), facts({ stream: 'out', arriving: [several, arriving(), several] }));
    expect(plan.outcomes).toEqual([
      { kind: 'stored', seq: 12 },
      { kind: 'stored', seq: 15 },
      { kind: 'duplicate', seq: 12 },
    ]);
    expect(plan.next).toBe(16);
  });

  test('that insists on its seq is stored there or nowhere; a repeated one has its place already', () => {
    const plan = planAppend(
      gate(),
      facts({
        arriving: [11, 12, 12].map((matchSeq) => arriving({ matchSeq })).concat(arriving({ matchSeq: 4, partId: 'b' })),
        seqOfPart: new Map([['b', 4]]),
      }),
    );
    expect(plan.outcomes).toEqual([
      { kind: 'seq mismatch', next: 12 },
      { kind: 'stored', seq: 12 },
      { kind: 'seq mismatch', next: 13 },
      { kind: 'duplicate', seq: 4 },
    ]);
  });

  test.each<[string, NewRecord[], boolean | null]>([
    ['a turn that is complete', [data, control('turn-complete')], true],
    ['a session that is closed', [control('session-closed')], true],
    ['a trim after it', [control('turn-complete'), trim(3), trim(4)], true],
    ['data after it', [control('turn-complete'), data], false],
    ['another control record after it', [control('turn-complete'), control('upgrade-required')], false],
    ['nothing but a command', [trim(3)], null],
  ])('settles the stream or not: %s', (_name, records, settled) => {
    expect(planAppend(gate(), facts({ stream: 'out', arriving: [arriving({ records })] })).settled).toBe(settled);
  });

  test.each<[string, NewRecord[], number]>([
    ['to a point in the past', [trim(7)], 7],
    ['backwards moves nothing', [trim(1)], 2],
    ['beyond the end takes the trim along, and nothing later', [data, trim(1_000), data], 14],
    ['to the greatest number there is', [trim(2n ** 64n - 1n)], 13],
    ['twice, to the greater', [trim(9), trim(5)], 9],
  ])('trims %s', (_name, records, trimmedBefore) => {
    const plan = planAppend(gate(), facts({ stream: 'out', arriving: [arriving({ records })] }));
    expect(plan).toMatchObject({ trimmedBefore, isTrimmed: trimmedBefore > 2, next: 12 + records.length });
  });

  test('no trim is what only looks like one', () => {
    const { body } = trim(5);
    expect(trimPoint({ headers: [['', 'fence']], body })).toBeNull();
    expect(trimPoint({ headers: [['', 'trim']], body: 'short' })).toBeNull();
    expect(
      trimPoint({
        headers: [
          ['', 'trim'],
          ['a', 'b'],
        ],
        body,
      }),
    ).toBeNull();
    expect(trimPoint({ headers: [['', 'trim']], body: '\u0001'.repeat(8) })).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe('V14: a writer', () => {
  const closed = gate({ closedAt: now });
  const kinds = (standing: ArrivingAppend['standing'], records: NewRecord[], on = gate()) =>
    kindsOf(planAppend(on, facts({ stream: 'out', arriving: [arriving({ standing, records })] })));

  test('that holds the fence writes, and finishes its turn after the end of its session', () => {
    expect(kinds('holder', [data])).toEqual(['stored']);
    expect(kinds('holder', [data], closed)).toEqual(['stored']);
    expect(kinds('unfenced', [data], closed)).toEqual(['closed']);
  });

  test('that was fenced out writes nothing, not even what was stored before', () => {
    expect(kinds('fenced out', [control('upgrade-required')])).toEqual(['fenced']);
    const plan = planAppend(
      gate(),
      facts({ arriving: [arriving({ standing: 'fenced out', partId: 'b' })], seqOfPart: new Map([['b', 4]]) }),
    );
    expect(plan).toMatchObject({ outcomes: [{ kind: 'fenced' }], next: 12, settled: null });
  });

  test('that has handed over may say so, and nothing else', () => {
    expect(kinds('handed over', [control('upgrade-required'), control('pending-version')])).toEqual(['stored']);
    expect(kinds('handed over', [control('upgrade-required')], closed)).toEqual(['closed']);
    for (const record of [data, control('turn-complete'), control('session-closed'), trim(1)]) {
      expect(kinds('handed over', [control('upgrade-required'), record])).toEqual(['fenced']);
    }
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
