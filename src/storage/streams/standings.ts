/** V14: who may write, by the fence as it stands under the lock that every move of it takes (lifecycle section 5). */
import { type ClaimedAttempt, type Fence, standingOf, type WriterStanding } from '../../domain/attempt.ts';
import type { SessionId } from '../../domain/ids.ts';
import { directionOf } from '../../domain/stream.ts';
import type { Append } from '../../sessions/ports.ts';
import type { Sql } from '../database.ts';
import type { StreamArrivals } from './arrivals.ts';
import type { LockedPlaces } from './places.ts';

interface FencedAppend {
  readonly index: number;
  readonly attempt: ClaimedAttempt;
  readonly fence: Fence;
}

/** By place in the batch; nothing stands there for those that no fence concerns. */
export async function readStandings(
  sql: Sql,
  streams: readonly StreamArrivals[],
  { fences }: LockedPlaces,
): Promise<readonly (WriterStanding | undefined)[]> {
  const fenced = streams.flatMap(({ appends }) => appends.flatMap((arrival) => fencedOf(arrival, fences)));
  const handedOver = fenced.filter(({ attempt, fence }) => fence.runNumber === attempt.runNumber + 1);
  const lastClaims = handedOver.length === 0 ? new Set<string>() : await readLastClaims(sql, handedOver);
  const standings: (WriterStanding | undefined)[] = [];
  for (const { index, attempt, fence } of fenced) {
    standings[index] = standingOf(fence, attempt, lastClaims.has(claimKey(attempt)));
  }
  return standings;
}

/** What a run reads is anybody's to write, and so is another session. */
function fencedOf(
  { index, append }: { readonly index: number; readonly append: Append },
  fences: ReadonlyMap<SessionId, Fence>,
): FencedAppend[] {
  const { attempt, sessionId, stream } = append;
  if (attempt === null || attempt.sessionId !== sessionId || directionOf(stream) === 'in') return [];
  const fence = fences.get(sessionId);
  if (fence === undefined) throw new Error(`the fence of ${sessionId} is not held`);
  return [{ index, attempt, fence }];
}

const claimKey = ({ sessionId, runNumber, attempt }: Omit<ClaimedAttempt, 'runId'>): string =>
  `${sessionId}/${runNumber}/${attempt}`;

async function readLastClaims(sql: Sql, fenced: readonly FencedAppend[]): Promise<ReadonlySet<string>> {
  const rows = await sql.query<{ session_id: SessionId; no: number; attempts: number }>(
    `SELECT r.session_id, r.no, r.attempts
     FROM unnest($1::text[], $2::int[]) AS writer (session_id, no)
     JOIN runs r ON r.session_id = ANY(ARRAY[writer.session_id]) AND r.no = writer.no
     WHERE r.finished_at IS NULL`,
    [fenced.map(({ attempt }) => attempt.sessionId), fenced.map(({ attempt }) => attempt.runNumber)],
  );
  return new Set(rows.map((row) => claimKey({ sessionId: row.session_id, runNumber: row.no, attempt: row.attempts })));
}
