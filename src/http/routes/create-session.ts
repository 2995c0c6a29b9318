import type { CreateRequest } from '../../domain/create-session.ts';
import { createBodyBytesMax } from '../../domain/limits.ts';
import { mayCreate, permits } from '../../domain/scope.ts';
import { sessionKey } from '../../domain/session.ts';
import { parseCreateBody } from '../create-body.ts';
import type { HttpParts } from '../http-parts.ts';
import { readJson } from '../read-json.ts';
import { orRefuse, refuse } from '../refusal.ts';
import { requestKeyHeader, requestKeyOf } from '../request-key.ts';
import { type Caller, callerOf, type Route } from '../route.ts';
import { createdSessionJson, signSessionToken } from '../session-json.ts';
import type { UseCases } from '../use-cases.ts';

export const createSessionRoute = ({ useCases, keys }: HttpParts): Route => ({
  method: 'POST',
  path: '/api/v1/sessions',
  crossOrigin: true,
  credential: 'secret or public',
  async answer(exchange) {
    const caller = callerOf(exchange);
    const body = await readJson(exchange, { bytesMax: createBodyBytesMax, refusals: 'detailed' });
    const request = orRefuse(parseCreateBody(body));
    if (!(await mayCreateThis(useCases, caller, request))) refuse({ code: 'scope_missing' });

    const requestKey = requestKeyOf(exchange.get(requestKeyHeader));
    const { environment } = caller;
    // The token of a session with an external id names nothing else, so it is signed while the session is made.
    const [outcome, token] = await Promise.all([
      useCases.createSession({ environment, request, requestKey }),
      request.externalId === null ? null : signSessionToken(keys, environment, request.externalId),
    ]);
    const created = orRefuse(outcome);
    exchange.state.sessionId = created.session.id;
    exchange.state.runId = created.runId;
    exchange.status = created.isCached ? 200 : 201;
    exchange.body = createdSessionJson(
      created,
      token ?? (await signSessionToken(keys, environment, sessionKey(created.session))),
    );
  },
});

/**
 * A token may name the session that it opens by either of its ids, and a session that exists is served by
 * its own task: a token for another task opens only sessions that are yet to be made.
 */
async function mayCreateThis(
  useCases: UseCases,
  { environment, grant }: Caller,
  request: CreateRequest,
): Promise<boolean> {
  const { externalId, taskIdentifier } = request;
  if (grant.kind === 'all') return true;
  if (externalId === null) return permits(grant, mayCreate(taskIdentifier, []));
  const existing = await useCases.retrieveSession({ environmentId: environment.id, key: externalId });
  const ids = existing === null ? [externalId] : [externalId, existing.id];
  return permits(grant, mayCreate(existing?.taskIdentifier ?? taskIdentifier, ids));
}
