import { parseRunId, type RunId } from '../../domain/ids.ts';
import { mayCancelRun, permits } from '../../domain/scope.ts';
import type { HttpParts } from '../http-parts.ts';
import { orRefuse, refuse } from '../refusal.ts';
import { type Caller, callerOf, pathPart, type Route } from '../route.ts';
import type { UseCases } from '../use-cases.ts';
import { canceledRun } from '../wire-schemas.ts';

export const cancelRunRoute = ({ useCases }: HttpParts): Route => ({
  method: 'POST',
  path: '/api/v2/runs/:run/cancel',
  crossOrigin: false,
  credential: 'secret or public',
  operation: {
    id: 'cancel_run',
    tag: 'runs',
    summary: 'Cancel a run',
    description: 'A run that is over stays as it is. The session stays open: its next record starts a new run.',
    answers: { 200: { description: 'The run is over, or Temporal has the order.', schema: canceledRun } },
    refusals: ['run_not_found'],
  },
  async answer(exchange) {
    const caller = callerOf(exchange);
    const part = pathPart(exchange, 'run');
    const runId = parseRunId(part);
    if (!(await mayCancelThis(useCases, caller, runId))) return refuse({ code: 'scope_missing' });
    if (runId === null) return refuse({ code: 'run_not_found' });
    exchange.state.runId = runId;
    exchange.body = orRefuse(await useCases.cancelRun({ environment: caller.environment, runId }));
  },
});

/** A token that names neither this run nor its task learns nothing, not even whether the run exists. */
async function mayCancelThis(
  useCases: UseCases,
  { environment, grant }: Caller,
  runId: RunId | null,
): Promise<boolean> {
  if (grant.kind === 'all') return true;
  const view = runId === null ? null : await useCases.retrieveRun({ environment, runId });
  return permits(grant, mayCancelRun({ runId: runId ?? '', taskIdentifier: view?.run.taskIdentifier ?? '' }));
}
