/** A batch of appends: as foreseen where every stream is known and still so, under locks taken before for the rest. */
import type { Append, AppendAnswer } from '../../sessions/ports.ts';
import type { Database } from '../database.ts';
import { appendUnderLocks } from './append-under-locks.ts';
import { byStream, keyOf } from './arrivals.ts';
import { type ForeseenPlan, foresee } from './foresee.ts';
import { type KnownStreams, unclaimedRunOf } from './known-streams.ts';
import { storeForeseen } from './store-foreseen.ts';

export interface AppendDeps {
  readonly db: Database;
  readonly known: KnownStreams;
}

export async function appendBatch(
  deps: AppendDeps,
  appends: readonly Append[],
  wait: boolean,
): Promise<readonly (AppendAnswer | 'busy')[]> {
  const plans = foresee(byStream(appends), deps.known);
  const answers: (AppendAnswer | 'busy')[] = plans === null ? [] : await appendAsForeseen(deps, plans);
  const rest = appends.flatMap((append, index) => (answers[index] === undefined ? [{ append, index }] : []));
  if (rest.length === 0) return answers;
  const locked = await appendUnderLocks(
    deps.db,
    rest.map(({ append }) => append),
    wait,
  ).catch((error: unknown) => {
    // The others are stored: they are answered, and what failed is told why when it is tried by itself.
    if (rest.length < appends.length) return null;
    throw error;
  });
  for (const [key, stream] of locked?.left ?? []) deps.known.learn(key, stream);
  rest.forEach(({ index }, order) => {
    answers[index] = locked?.answers[order] ?? 'busy';
  });
  return answers;
}

/** By place in the batch; nothing stands there for those that met something else. */
async function appendAsForeseen({ db, known }: AppendDeps, plans: readonly ForeseenPlan[]): Promise<AppendAnswer[]> {
  // Whatever becomes of the statement, what was known before it is over.
  for (const stream of plans) known.learn(keyOf(stream), null);
  const times = await storeForeseen(db, plans);
  const answers: AppendAnswer[] = [];
  for (const [order, stream] of plans.entries()) {
    const atMs = times.get(order);
    if (atMs === undefined) continue;
    const { next, wakeAfter, outcomes } = stream.plan;
    known.learn(keyOf(stream), { ...stream.known, next, lastAtMs: atMs });
    const unclaimedRun = unclaimedRunOf(stream.known, stream.stream);
    stream.appends.forEach(({ index }, arrival) => {
      const outcome = outcomes[arrival];
      if (outcome === undefined) throw new Error('an append has no outcome');
      answers[index] = { outcome, atMs, next, wakeAfter, completedWaits: false, unclaimedRun };
    });
  }
  return answers;
}
