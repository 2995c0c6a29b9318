// planted: boundaries domain-is-pure
// planted: lint eslint(no-restricted-imports)
import { randomUUID } from 'node:crypto';

export const newName = (): string => randomUUID();
