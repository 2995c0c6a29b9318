import { expect, test } from 'vitest';
import { holdsFence } from '../../src/domain/attempt.ts';

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
