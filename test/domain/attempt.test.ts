import { expect, test } from 'vitest';
import { holdsFence, standingOf } from '../../src/domain/attempt.ts';

test('V14: only the very attempt that the fence names may write; nobody may once it is shut', () => {
  const attempt = { runNumber: 2, attempt: 3 };
  expect(holdsFence({ runNumber: 2, attempt: 3 }, attempt)).toBe(true);
  for (const fence of [
    { runNumber: 2, attempt: 4 },
    { runNumber: 2, attempt: 2 },
    { runNumber: 3, attempt: 3 },
    { runNumber: 3, attempt: 0 },
    { runNumber: 2, attempt: null },
  ]) {
    expect(holdsFence(fence, attempt)).toBe(false);
  }
});

test('a run whose session was handed over is known by its last claim, until it ends', () => {
  const attempt = { sessionId: 's' as never, runId: 'r' as never, runNumber: 2, attempt: 3 };
  expect(standingOf({ runNumber: 2, attempt: 3 }, attempt, true)).toBe('holder');
  for (const number of [0, 1, null]) {
    expect(standingOf({ runNumber: 3, attempt: number }, attempt, true)).toBe('handed over');
    expect(standingOf({ runNumber: 3, attempt: number }, attempt, false)).toBe('fenced out');
  }
  for (const runNumber of [1, 2, 4]) {
    expect(standingOf({ runNumber, attempt: 9 }, attempt, true)).toBe('fenced out');
  }
});
