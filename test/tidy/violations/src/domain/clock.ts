// planted: lint eslint(no-restricted-properties)
// planted: lint eslint(no-restricted-properties)
export const jitterMs = (): number => Date.now() * Math.random();
