// planted: boundaries no-unresolvable
// planted: types TS2307
// planted: dead-code unresolved
import { gone } from './gone.ts';

export const found = String(gone);
