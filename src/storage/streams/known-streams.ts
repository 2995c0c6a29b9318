/**
 * Streams as this process last saw them under their locks. Anybody may have changed them since: what is known serves
 * only to foresee what an append will do, and the database compares it before it stores anything.
 */
import type { Fence } from '../../domain/attempt.ts';
import { knownStreamsMax } from '../../domain/limits.ts';
import type { StreamName } from '../../domain/stream.ts';
import { RecentMap } from '../../recent-map.ts';

/** A stream of an open session, for whose records nobody waits. */
export interface KnownStream {
  readonly runNumber: number;
  readonly live: boolean;
  /** Of the gate: highest attempt that claimed. */
  readonly attempt: number;
  /** Who may write to an `out`; of `in`, which anybody may write to, null. */
  readonly fence: Fence | null;
  readonly next: number;
  readonly trimmedBefore: number;
  /** Time of its last record, in milliseconds. */
  readonly lastAtMs: number;
}

/** Number of the live run that is to meet a record on `in` and that nobody has claimed. */
export const unclaimedRunOf = (
  { live, attempt, runNumber }: Pick<KnownStream, 'runNumber' | 'live' | 'attempt'>,
  stream: StreamName,
): number | null => (stream === 'in' && live && attempt === 0 ? runNumber : null);

export interface KnownStreams {
  find(key: string): KnownStream | null;
  /** Null: what was known of the stream does not hold any longer, or not for long. */
  learn(key: string, stream: KnownStream | null): void;
}

/** Those that were appended to last, up to a bound. */
export function openKnownStreams(): KnownStreams {
  const streams = new RecentMap<string, KnownStream>(knownStreamsMax);
  return {
    find: (key) => streams.get(key) ?? null,
    learn(key, stream) {
      if (stream === null) streams.delete(key);
      else streams.set(key, stream);
    },
  };
}
