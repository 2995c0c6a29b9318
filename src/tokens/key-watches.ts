/** Who rests on a key and must hear when it is over: open tails, above all (protocol section 15, row 20). */
import { refreshAfterMs } from './key-snapshots.ts';

export interface KeyWatches {
  add(keyIds: readonly string[], onOver: () => void): () => void;
  /** Calls back for each key that is over by now. */
  look(): void;
  stop(): void;
}

export interface KeyWatchesParts {
  /** False as long as nobody knows. */
  readonly isOver: (keyId: string) => boolean;
  /** Ends in a `look`; never rejects. */
  readonly reload: () => Promise<void>;
}

interface Watch {
  readonly keyIds: readonly string[];
  readonly onOver: () => void;
}

export function keyWatches({ isOver, reload }: KeyWatchesParts): KeyWatches {
  const watches = new Set<Watch>();
  let ticking: NodeJS.Timeout | null = null;

  function look(): void {
    // A grace may have ended since the last load, so one that fails is followed by a look, too.
    for (const watch of [...watches]) {
      if (!watch.keyIds.some(isOver)) continue;
      remove(watch);
      watch.onOver();
    }
  }

  function remove(watch: Watch): void {
    watches.delete(watch);
    if (watches.size > 0 || ticking === null) return;
    clearInterval(ticking);
    ticking = null;
  }

  return {
    add(keyIds, onOver) {
      if (keyIds.some(isOver)) {
        onOver();
        return () => undefined;
      }
      const watch = { keyIds, onOver };
      watches.add(watch);
      ticking ??= setInterval(() => void reload().then(look), refreshAfterMs).unref();
      return () => remove(watch);
    },
    look,
    stop() {
      if (ticking !== null) clearInterval(ticking);
      ticking = null;
    },
  };
}
