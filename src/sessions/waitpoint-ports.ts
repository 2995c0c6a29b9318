/** The store of waitpoints, as those who wait need it. */
import type { EnvironmentId, WaitpointId } from '../domain/ids.ts';
import type { EarlyWaitOrder, WaitOrder, Waitpoint } from '../domain/waitpoint.ts';

export type Registration =
  | { readonly kind: 'registered'; readonly id: WaitpointId; readonly isCached: boolean }
  /** The run is no longer the one that may wait. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'crowded' };

export interface WaitpointStore {
  /** Checks and registers under the lock of the stream's appends: completed at once, or by one of them. */
  register(order: WaitOrder): Promise<Registration>;
  /** For a session that has no row yet; `adoptEarly` completes it, or the appends after that. */
  registerEarly(order: EarlyWaitOrder): Promise<Registration>;
  /** Gives sessions that have come the waits on them. Workflow ids of those sessions. */
  adoptEarly(): Promise<readonly string[]>;
  find(environmentId: EnvironmentId, id: WaitpointId): Promise<Waitpoint | null>;
  /** Those that have been completed, of these. */
  findCompleted(ids: readonly WaitpointId[]): Promise<readonly Waitpoint[]>;
  /** Completes those whose time has come. Workflow ids of the sessions that they waited for. */
  timeOut(): Promise<readonly string[]>;
  /** Drops those that nobody asks about any more. */
  forget(): Promise<void>;
}
