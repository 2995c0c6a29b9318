import { Unavailable } from '../domain/failure.ts';

/** `work`, or `Unavailable` when it takes longer. The work itself goes on; its late outcome is dropped. */
export async function withinMs<Value>(work: Promise<Value>, limitMs: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Unavailable('database', new Error(`no answer within ${limitMs} ms`))), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
