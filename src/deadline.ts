/** A bound on work that can be broken off. */
export interface Deadline {
  readonly ms: number;
  /** Breaks the work off earlier. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Work under a signal that aborts at the deadline; the answer does not wait for work that takes no notice of it, and
 * what becomes of that is dropped. Not `AbortSignal.timeout`: once nobody but another signal or a `Request` refers to it,
 * the collector takes it away and the deadline with it (Node 20 below `AbortSignal.any`, Node 24 too below a `Request`).
 * @throws the reason of the signal that aborted: a `TimeoutError` at the deadline
 */
export async function withinDeadline<Value>(
  { ms, signal }: Deadline,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const controller = new AbortController();
  let breakOff: (reason: unknown) => void = () => {};
  const brokenOff = new Promise<never>((_resolve, reject) => {
    breakOff = (reason) => {
      controller.abort(reason);
      reject(reason);
    };
  });
  // It is raced below, if the work begins.
  brokenOff.catch(() => {});
  const follow = () => breakOff(signal?.reason);
  const timer = setTimeout(() => breakOff(new DOMException(`no end within ${ms} ms`, 'TimeoutError')), ms);
  signal?.addEventListener('abort', follow, { once: true });
  if (signal?.aborted === true) follow();
  try {
    return await Promise.race([work(controller.signal), brokenOff]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', follow);
  }
}

/**
 * Work that cannot be broken off: whoever waits for it leaves at the deadline, and what becomes of it is dropped.
 * @throws what `late` makes, at the deadline
 */
export async function inTime<Value>(work: Promise<Value>, ms: number, late: () => Error): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), Math.max(0, ms));
  });
  try {
    return await Promise.race([work, overdue]);
  } finally {
    clearTimeout(timer);
  }
}
