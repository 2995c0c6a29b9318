import { describe, expect, test } from 'vitest';
import { mayWait } from '../../src/domain/gate.ts';
import { firstStateOf, parseDuration, parseTimeout, timeoutAt } from '../../src/domain/waitpoint.ts';

describe('a timeout', () => {
  test.each([
    ['1h30m', 5_400_000],
    ['2hr', 7_200_000],
    ['1w2d', 777_600_000],
    ['0s', 0],
    ['999999999999w', 3_155_760_000_000],
    ['', null],
    ['1', null],
    ['1.5h', null],
    ['-1h', null],
    ['1h ', null],
    ['1ms', null],
    ['1H', null],
  ])('%j is %j milliseconds', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  const now = new Date('2026-01-01T00:00:00.000Z');
  test.each([
    ['10s', '2026-01-01T00:00:10.000Z'],
    ['2026-01-01T00:00:01Z', '2026-01-01T00:00:01.000Z'],
    ['2026-01-01T01:00:01.500+01:00', '2026-01-01T00:00:01.500Z'],
    ['2026-01-02', '2026-01-02T00:00:00.000Z'],
    ['2025-12-31T23:59:59Z', null],
    ['2026-01-01T00:00:00Z', null],
  ])('%j ends the wait at %j', (text, at) => {
    const timeout = parseTimeout(text);
    expect(timeout).not.toBeNull();
    expect(timeoutAt(timeout, now)?.toISOString() ?? null).toBe(at);
  });

  test.each(['tomorrow', '2026-13-01T00:00:00Z', '2026', 'Thu Jan 01 2026', '1h2026-01-01'])('%j is none', (text) => {
    expect(parseTimeout(text)).toBeNull();
  });
});

describe('a registration', () => {
  test.each([
    ['in', 3, 'open', 'record'],
    ['in', 3, 'closed', 'record'],
    ['in', null, 'open', 'pending'],
    ['in', null, 'closed', 'ended'],
    ['in', null, 'expired', 'ended'],
    ['out', null, 'closed', 'pending'],
  ] as const)(
    'on %s, with the first unseen record %s of a session that is %s, is %s',
    (stream, first, session, state) => {
      expect(firstStateOf({ stream, first, session })).toBe(state);
    },
  );

  test.each([
    ['the current run', 2, null, false, true],
    ['the attempt that has it', 2, 4, false, true],
    ['V14: an older attempt', 2, 3, false, false],
    ['V14: an older run', 1, null, false, false],
    ['a run that has ended', 2, 4, true, false],
  ])('by %s', (_name, runNumber, attempt, final, taken) => {
    expect(mayWait({ runNumber: 2, attempt: 4 }, { runNumber, attempt, final })).toBe(taken);
  });
});
