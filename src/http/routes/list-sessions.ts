import { mayListSessions } from '../../domain/scope.ts';
import type { HttpParts } from '../http-parts.ts';
import { parseListQuery } from '../list-query.ts';
import { refuse } from '../refusal.ts';
import { callerOf, type Route } from '../route.ts';
import { sessionPageJson } from '../session-json.ts';

export const listSessionsRoute = ({ useCases }: HttpParts): Route => ({
  method: 'GET',
  path: '/api/v1/sessions',
  crossOrigin: true,
  credential: 'secret or public',
  async answer(exchange) {
    const { environment, grant } = callerOf(exchange);
    const { filters, page } = parseListQuery(exchange.querystring, Date.now());
    if (!mayListSessions(grant, filters.taskIdentifiers)) return refuse({ code: 'scope_missing' });
    exchange.body = sessionPageJson(await useCases.listSessions({ environmentId: environment.id, filters, page }));
  },
});
