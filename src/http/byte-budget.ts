/** Bytes that a process holds at once for bodies too large to be counted by their number. */
export interface ByteBudget {
  /** False: they do not fit beside what is held already, and nothing was taken. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

export function byteBudget(bytesMax: number): ByteBudget {
  let held = 0;
  return {
    take(bytes) {
      if (held + bytes > bytesMax) return false;
      held += bytes;
      return true;
    },
    give(bytes) {
      held -= bytes;
    },
  };
}
