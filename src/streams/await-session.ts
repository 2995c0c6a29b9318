/** A reader may come before its session does: it is told of the create, or finds it at the next look. */
import { setTimeout as pause } from 'node:timers/promises';
import { Unavailable } from '../domain/failure.ts';
import type { Environment } from '../domain/ids.ts';
import { tailPollMs } from '../domain/limits.ts';
import type { Changes } from '../sessions/ports.ts';
import type { LocatedSession, LocateSession } from './locate-session.ts';

export interface Locating {
  readonly locate: LocateSession;
  readonly changes: Pick<Changes, 'subscribe'>;
  /** Of the session to come. */
  readonly workflowId: string;
}

/** Rejects when `left` is aborted. */
export async function awaitSession(
  { locate, changes, workflowId }: Locating,
  { environment, key }: { readonly environment: Environment; readonly key: string },
  left: AbortSignal,
): Promise<LocatedSession> {
  let ring: () => void = () => {};
  const unsubscribe = changes.subscribe(workflowId, () => ring());
  try {
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        ring = resolve;
      });
      const found = await locate(environment, key).catch((cause: unknown) => {
        if (cause instanceof Unavailable) return null;
        throw cause;
      });
      if (found !== null) return found;
      await Promise.race([changed, pause(tailPollMs, undefined, { signal: left })]);
    }
  } finally {
    unsubscribe();
  }
}
