// planted: lint eslint(no-restricted-globals)
export const here = (): string => process.cwd();
