// planted: boundaries no-cycle
// planted: lint import(no-cycle)
import { two } from './cycle-two.ts';

export const one = (): number => two() - 1;
