// planted: lint typescript(no-explicit-any)
export const lengthOf = (value: any): number => Number(value);
