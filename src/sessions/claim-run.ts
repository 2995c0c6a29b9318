/** POST /api/v1/runs/{run}/claim: the first call of each attempt; from a granted claim on it alone may write. */
import { fail, type Result, succeed } from '../domain/failure.ts';
import type { Claim, ClaimOrder } from '../domain/transition.ts';
import type { Failpoints, RunStore } from './ports.ts';

export async function claimRun(
  deps: { readonly runs: RunStore; readonly failpoints: Failpoints },
  order: ClaimOrder,
): Promise<Result<Claim>> {
  await deps.failpoints.hit('claimRun:before');
  const claim = await deps.runs.claim(order);
  await deps.failpoints.hit('claimRun:after');
  if (claim === null) return fail({ code: 'run_not_found' });
  return claim === 'refused' ? fail({ code: 'claim_refused' }) : succeed(claim);
}
