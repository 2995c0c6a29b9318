/** POST /api/v1/runs/{run}/cursor: what is consumed is given to no later attempt or run. */
import { fail, type Result, succeed } from '../domain/failure.ts';
import type { CursorOrder } from '../domain/transition.ts';
import type { RunStore } from './ports.ts';

export async function commitCursor(
  deps: { readonly runs: Pick<RunStore, 'commitCursor'> },
  order: CursorOrder,
): Promise<Result<{ readonly cursor: number }>> {
  const cursor = await deps.runs.commitCursor(order);
  if (cursor === null) return fail({ code: 'run_not_found' });
  return cursor === 'refused' ? fail({ code: 'run_superseded' }) : succeed({ cursor });
}
