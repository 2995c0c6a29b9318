import { mayListSessions } from '../../domain/scope.ts';
import type { HttpParts } from '../http-parts.ts';
import { listQuery, parseListQuery } from '../list-query.ts';
import { refuse } from '../refusal.ts';
import { callerOf, type Route } from '../route.ts';
import { sessionPageJson } from '../session-json.ts';
import { sessionPage } from '../wire-schemas.ts';

export const listSessionsRoute = ({ useCases }: HttpParts): Route => ({
  method: 'GET',
  path: '/api/v1/sessions',
  crossOrigin: true,
  credential: 'secret or public',
  operation: {
    id: 'list_sessions',
    tag: 'sessions',
    summary: 'List sessions',
    description:
      'Newest first, in both directions. Filters are joined by and, the values of one filter by or. Needs a secret key or `read:sessions`; with a filter of tasks, `read:tasks` for each of them does.',
    query: listQuery,
    answers: { 200: { description: 'One page.', schema: sessionPage } },
    refusals: ['invalid_query'],
  },
  async answer(exchange) {
    const { environment, grant } = callerOf(exchange);
    const { filters, page } = parseListQuery(exchange.querystring, Date.now());
    if (!mayListSessions(grant, filters.taskIdentifiers)) return refuse({ code: 'scope_missing' });
    exchange.body = sessionPageJson(await useCases.listSessions({ environmentId: environment.id, filters, page }));
  },
});
