import { expect, test } from 'vitest';
import { runOutputBytesMax } from '../../src/domain/limits.ts';
import { serialiseOutput } from '../../src/tasks/serialise-output.ts';

test('nothing returned is null', () => {
  expect(serialiseOutput(undefined)).toEqual({ ok: true, output: null });
});

test('an output is what JSON makes of it', () => {
  const at = new Date(0);
  expect(serialiseOutput({ at, gone: undefined, bytes: new Uint8Array([7]) })).toEqual({
    ok: true,
    output: { at: '1970-01-01T00:00:00.000Z', bytes: { 0: 7 } },
  });
});

test.each([
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
  ['a bigint', 1n],
])('%s is refused', (_, value) => {
  expect(serialiseOutput(value)).toMatchObject({ ok: false, problem: expect.stringContaining('not JSON') });
});

test('a circle is refused', () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  expect(serialiseOutput(circle)).toMatchObject({ ok: false });
});

test('the bound counts bytes of JSON, not characters', () => {
  const quotes = 2;
  expect(serialiseOutput('x'.repeat(runOutputBytesMax - quotes - 1))).toMatchObject({ ok: true });
  expect(serialiseOutput('x'.repeat(runOutputBytesMax - quotes))).toMatchObject({ ok: false });
  expect(serialiseOutput('é'.repeat(runOutputBytesMax / 2))).toMatchObject({
    ok: false,
    problem: expect.stringContaining(String(runOutputBytesMax + quotes)),
  });
});
