import { sessionToRead } from '../addressed-session.ts';
import type { HttpParts } from '../http-parts.ts';
import type { Route } from '../route.ts';
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
    exchange.body = sessionJson(await sessionToRead(exchange, useCases));
  },
});
