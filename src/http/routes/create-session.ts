import type { CreateRequest } from '../../domain/create-session.ts';
import { mayCreate, permits } from '../../domain/scope.ts';
import { sessionKey } from '../../domain/session.ts';
import { createBody } from '../create-body.ts';
import type { HttpParts } from '../http-parts.ts';
import { readBody } from '../json-body.ts';
import { orRefuse, refuse } from '../refusal.ts';
import { requestKeyHeader, requestKeyHeaders, requestKeyOf } from '../request-key.ts';
import { type Caller, callerOf, type Route } from '../route.ts';
import { createdSessionJson, signSessionToken } from '../session-json.ts';
import type { UseCases } from '../use-cases.ts';
import { createdSession } from '../wire-schemas.ts';

const createText = `Create a Session and trigger its first run in one atomic call. A Session is the durable identity for a bi-directional stream of records (the \`.in\` and \`.out\` channels) that survives across the runs processing it.

Idempotent on \`externalId\` within an environment. Calling create again with an \`externalId\` that already maps to an open session returns the existing session with \`isCached: true\` and \`201\` becomes \`200\`. Reusing an \`externalId\` whose session is already closed or expired returns \`409\`.

Authorize with a secret key, or a public token carrying \`write:sessions\` for the session you are creating.`;

export const createSessionRoute = ({ useCases, keys }: HttpParts): Route => ({
  method: 'POST',
  path: '/api/v1/sessions',
  crossOrigin: true,
  credential: 'secret or public',
  operation: {
    id: 'create_session_v1',
    tag: 'sessions',
    summary: 'Create a session',
    description: createText,
    headers: requestKeyHeaders,
    body: createBody,
    answers: {
      200: {
        description:
          'An open session already existed for this `externalId`. The existing session is returned with `isCached: true`.',
        schema: createdSession,
      },
      201: { description: 'Session created and its first run triggered.', schema: createdSession },
      401: { description: 'Unauthorized' },
      409: {
        description:
          'An `externalId` was reused, but its session is already closed or expired. Closed and expired sessions cannot be reopened.',
      },
      422: {
        description:
          'Validation failed — for example the request body exceeds 32KB, or `externalId` starts with the reserved `session_` prefix.',
      },
    },
    refusals: ['session_closed', 'session_expired'],
  },
  async answer(exchange) {
    const caller = callerOf(exchange);
    const request = await readBody(exchange, createBody);
    if (!(await mayCreateThis(useCases, caller, request))) refuse({ code: 'scope_missing' });

    const requestKey = requestKeyOf(exchange.get(requestKeyHeader));
    const { environment } = caller;
    // The token of a session with an external id names nothing else, so it is signed while Temporal has the order.
    let signing: Promise<string> | null = null;
    const onWaiting = () => {
      if (request.externalId === null) return;
      signing ??= signSessionToken(keys, caller, request.externalId);
      // It is awaited below, but for a create that fails.
      signing.catch(() => {});
    };
    const created = orRefuse(await useCases.createSession({ environment, request, requestKey, onWaiting }));
    exchange.state.sessionId = created.session.id;
    exchange.state.runId = created.runId;
    exchange.status = created.isCached ? 200 : 201;
    signing ??= signSessionToken(keys, caller, sessionKey(created.session));
    exchange.body = createdSessionJson(created, await signing);
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
