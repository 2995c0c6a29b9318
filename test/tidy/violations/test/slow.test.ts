// planted: lint vitest(no-focused-tests)
import { expect, test } from 'vitest';

test.only('the others never run', () => {
  expect(1).toBe(1);
});
