import { z } from 'zod';
import { createBodyBytesMax, sessionTagsMax } from '../../domain/limits.ts';
import { mayAdministerSession } from '../../domain/scope.ts';
import { sessionToChange } from '../addressed-session.ts';
import type { HttpParts } from '../http-parts.ts';
import { fieldProblems, problemText } from '../problems.ts';
import { readJson } from '../read-json.ts';
import { orRefuse, refuse } from '../refusal.ts';
import type { Route } from '../route.ts';
import { externalId, jsonObject, tagList, withoutUndefined } from '../session-fields.ts';
import { sessionJson } from '../session-json.ts';

const updateBody = z.object({
  tags: tagList(sessionTagsMax).optional(),
  metadata: jsonObject.nullable().optional(),
  externalId: externalId.nullable().optional(),
});

export const updateSessionRoute = ({ useCases }: HttpParts): Route => ({
  method: 'PATCH',
  path: '/api/v1/sessions/:session',
  crossOrigin: true,
  credential: 'secret or public',
  async answer(exchange) {
    const body = await readJson(exchange, { bytesMax: createBodyBytesMax, refusals: 'detailed' });
    const parsed = updateBody.safeParse(body);
    if (!parsed.success) {
      const details = fieldProblems(parsed.error);
      return refuse({ code: 'invalid_body', message: problemText(details), details });
    }
    const session = await sessionToChange(exchange, {
      useCases,
      checks: mayAdministerSession,
      missing: 'session_not_found',
    });
    const { externalId: named, ...update } = withoutUndefined(parsed.data);
    const order = { session, update, ...(named === undefined ? {} : { externalId: named }) };
    exchange.body = sessionJson(orRefuse(await useCases.updateSession(order)));
  },
});
