/**
 * The locks of a batch of appends, and the look that follows them. Gates come first, and a batch may not go on without
 * one: so whoever else wants what lies behind a gate waits for that gate, and the rest needs only to keep its order.
 *
 * A batch that skips what others hold waits for nobody's gate and nobody's `out`. It may hold the `out` of a session
 * whose gate it was refused, until its commit; nothing can be waiting for that batch and be waited for by it.
 */
import type { SessionId } from '../../domain/ids.ts';
import type { TransactionSql } from '../database.ts';
import type { HeldGate } from '../transitions/gate-row.ts';
import type { StreamArrivals } from './arrivals.ts';
import { gatesOf, holdGatesStatement } from './hold-gates.ts';
import { type Look, lookOf, lookStatement } from './look.ts';
import { type LockedPlaces, lockOutsStatement, outsNeeded, outsOf } from './places.ts';

export interface Locks extends LockedPlaces {
  readonly gates: ReadonlyMap<SessionId, HeldGate>;
  /** Of all streams, also of those whose gate was refused. */
  readonly look: Look;
}

/**
 * One round trip: what is locked and looked for is known before, and each statement's snapshot is taken when the one
 * before has its locks (R2). So an append under locks takes two round trips, this one and the one that stores and commits.
 */
export async function takeLocks(
  sql: TransactionSql,
  streams: readonly StreamArrivals[],
  wait: boolean,
): Promise<Locks> {
  const sessions = [...new Set(streams.map(({ sessionId }) => sessionId))];
  const wanted = outsNeeded(streams);
  const outs = wanted.length === 0 ? [] : [lockOutsStatement(wanted, wait)];
  const rows = await sql.pipeline([holdGatesStatement(sessions, wait), ...outs, lookStatement(streams)]);
  const locked = outsOf(outs.length === 0 ? [] : (rows[1] ?? []));
  const refused = new Set(wanted.filter((sessionId) => !locked.fences.has(sessionId)));
  const gates = new Map([...gatesOf(rows[0] ?? [])].filter(([sessionId]) => !refused.has(sessionId)));
  return { ...locked, gates, look: lookOf(rows.at(-1) ?? []) };
}
