import { parseRunId } from '../../domain/ids.ts';
import { mayReadRun, permits } from '../../domain/scope.ts';
import type { HttpParts } from '../http-parts.ts';
import { refuse } from '../refusal.ts';
import { callerOf, pathPart, type Route } from '../route.ts';
import { runJson } from '../run-json.ts';
import { runObject } from '../wire-schemas.ts';

export const retrieveRunRoute = ({ useCases }: HttpParts): Route => ({
  method: 'GET',
  path: '/api/v3/runs/:run',
  crossOrigin: true,
  credential: 'secret or public',
  operation: {
    id: 'retrieve_run',
    tag: 'runs',
    summary: 'Retrieve a run',
    answers: { 200: { description: 'The run as it is now.', schema: runObject } },
    refusals: ['not_found'],
  },
  async answer(exchange) {
    const { environment, grant } = callerOf(exchange);
    const runId = parseRunId(pathPart(exchange, 'run'));
    const view = runId === null ? null : await useCases.retrieveRun({ environment, runId });
    // The SDK asks for a run right after it was triggered, and on other servers the row may come late.
    if (view === null) return refuse({ code: 'not_found', retry: true });
    const { id, sessionId, taskIdentifier, options } = view.run;
    exchange.state.runId = id;
    exchange.state.sessionId = sessionId;
    if (!permits(grant, mayReadRun({ runId: id, taskIdentifier, tags: options.tags }))) {
      return refuse({ code: 'scope_missing' });
    }
    exchange.body = runJson(view, Date.now());
  },
});
