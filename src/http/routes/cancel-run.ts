import { runToActOn } from '../addressed-run.ts';
import type { HttpParts } from '../http-parts.ts';
import { orRefuse } from '../refusal.ts';
import { callerOf, type Route } from '../route.ts';
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
    const { environment } = callerOf(exchange);
    const runId = await runToActOn(exchange, useCases);
    exchange.body = orRefuse(await useCases.cancelRun({ environment, runId }));
  },
});
