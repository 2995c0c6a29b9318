// planted: lint eslint(max-params)
export const sumOf = (a: number, b: number, c: number, d: number): number => a + b + c + d;
