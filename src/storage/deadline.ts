import { inTime } from '../deadline.ts';
import { Unavailable } from '../domain/failure.ts';

/** `work`, or `Unavailable` when it takes longer. */
export const withinMs = <Value>(work: Promise<Value>, limitMs: number): Promise<Value> =>
  inTime(work, limitMs, () => new Unavailable('database', new Error(`no answer within ${limitMs} ms`)));
