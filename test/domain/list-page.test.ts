/** Cursors and periods of the list. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sessionIdOf } from '../../src/domain/ids.ts';
import { cursorText, instantMaxMs, parseCursor, parsePeriod } from '../../src/domain/list-page.ts';

describe('a cursor', () => {
  const bodies = fc.string({
    unit: fc.constantFrom(...'0123456789abcdefghijklmnopqrstuvwxyz'.split('')),
    minLength: 25,
    maxLength: 25,
  });

  test('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: instantMaxMs }), bodies, fc.boolean(), (createdAtMs, body, inclusive) => {
        const cursor = { createdAtMs, id: sessionIdOf(body), inclusive };
        expect(parseCursor(cursorText(cursor))).toEqual(cursor);
        expect(encodeURIComponent(cursorText(cursor))).toBe(cursorText(cursor));
      }),
    );
  });

  test.each([
    '',
    'x',
    'x0.',
    `x0.${'a'.repeat(24)}`,
    `x0.${'a'.repeat(26)}`,
    `y0.${'a'.repeat(25)}`,
    `x-1.${'a'.repeat(25)}`,
    `xzzzzzzzzzzz.${'a'.repeat(25)}`,
    `x0.${'A'.repeat(25)}`,
    ` x0.${'a'.repeat(25)}`,
    `x0.${'a'.repeat(25)}\n`,
    `x0.${'a'.repeat(24)}'`,
    'session_'.concat('a'.repeat(25)),
  ])('is none: %j', (text) => {
    expect(parseCursor(text)).toBeNull();
  });

  test('is none, whatever else is sent', () => {
    fc.assert(fc.property(fc.string(), (text) => parseCursor(text) === null));
  });
});

describe('a period', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['2hr', 7_200_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['1h30m', 5_400_000],
    ['1w2d3h4m5s6ms', 788_645_006],
    ['1.5h', 5_400_000],
    ['2 days', 172_800_000],
    ['1 hour 30 minutes', 5_400_000],
    [' 7D ', 604_800_000],
    ['0s', 0],
    ['36500d', 3_153_600_000_000],
  ])('%s', (text, milliseconds) => {
    expect(parsePeriod(text)).toBe(milliseconds);
  });

  test.each([
    '',
    ' ',
    '7',
    'd',
    '7x',
    '-7d',
    '7d-',
    'd7',
    '7dd',
    '1e3s',
    'Infinityd',
    '.5h',
    '1,5h',
    '999999999999999w',
    '40000d',
    '1s'.repeat(40),
  ])('is none: %j', (text) => {
    expect(parsePeriod(text)).toBeNull();
  });
});
