/** What the API is made of; named arguments, put together in `main`. */
import type { Observe } from '../observe/facts.ts';
import type { RateMeter, SnapshotStore } from '../sessions/ports.ts';
import type { Streams } from '../streams/streams.ts';
import type { Waitpoints } from '../streams/waitpoints.ts';
import type { KeyRing } from '../tokens/key-ring.ts';
import type { SnapshotUrls } from '../tokens/snapshot-url.ts';
import type { UseCases } from './use-cases.ts';
import type { UsedTokens } from './use-once.ts';

export interface HttpParts {
  readonly useCases: UseCases;
  readonly streams: Streams;
  readonly waitpoints: Waitpoints;
  readonly keys: KeyRing;
  readonly snapshots: SnapshotParts;
  readonly rateLimits: RateLimits;
  readonly usedTokens: UsedTokens;
  /** Where writers reach the S2 data plane, without a trailing slash; null: where they asked for their credential. */
  readonly s2Url: string | null;
  /** Each resolves while its part answers; asked by `/readyz`. */
  readonly probes: Readonly<Record<string, () => Promise<unknown>>>;
  readonly observe: Observe;
}

export interface SnapshotParts {
  readonly store: SnapshotStore;
  readonly urls: SnapshotUrls;
  /** Where clients reach this server, without a trailing slash; known once it listens. */
  readonly publicUrl: () => string;
}

/** Null: off. */
export interface RateLimits {
  /** Requests per credential. */
  readonly callers: RateMeter | null;
  /** Unknown credentials per address. */
  readonly badCredentials: RateMeter | null;
  /** Proxies in front of this server whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: number;
}

export const noRateLimits: RateLimits = { callers: null, badCredentials: null, trustedProxies: 0 };
