// planted: lint eslint(no-restricted-properties)
// planted: lint eslint(no-restricted-properties)
export const delayMs = (): number => Date.now() * Math.random();
