import { mayReadSession, permits } from '../../domain/scope.ts';
import type { HttpParts } from '../http-parts.ts';
import { refuse } from '../refusal.ts';
import { callerOf, pathPart, type Route } from '../route.ts';
import { sessionJson } from '../session-json.ts';
import { sessionObject } from '../wire-schemas.ts';

export const retrieveSessionRoute = ({ useCases }: HttpParts): Route => ({
  method: 'GET',
  path: '/api/v1/sessions/:session',
  crossOrigin: true,
  credential: 'secret or public',
  operation: {
    id: 'retrieve_session',
    tag: 'sessions',
    summary: 'Retrieve a session',
    description: 'Closed and expired sessions, too.',
    answers: { 200: { description: 'The session as it is now.', schema: sessionObject } },
    refusals: ['not_found'],
  },
  async answer(exchange) {
    const { environment, grant } = callerOf(exchange);
    const key = pathPart(exchange, 'session');
    const session = await useCases.retrieveSession({ environmentId: environment.id, key });
    if (session === null) return refuse({ code: 'not_found', retry: false });
    exchange.state.sessionId = session.id;
    if (!permits(grant, mayReadSession([session.id, session.externalId ?? session.id]))) {
      return refuse({ code: 'scope_missing' });
    }
    exchange.body = sessionJson(session);
  },
});
