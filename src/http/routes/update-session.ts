import { z } from 'zod';
import { createBodyBytesMax, sessionTagsMax } from '../../domain/limits.ts';
import { mayAdministerSession } from '../../domain/scope.ts';
import { sessionToChange } from '../addressed-session.ts';
import type { HttpParts } from '../http-parts.ts';
import { readBody } from '../json-body.ts';
import type { JsonBody } from '../operation.ts';
import { orRefuse } from '../refusal.ts';
import type { Route } from '../route.ts';
import { externalId, jsonObject, tagList, withoutUndefined } from '../session-fields.ts';
import { sessionJson } from '../session-json.ts';
import { sessionObject } from '../wire-schemas.ts';

const updateFields = z.object({
  tags: tagList(sessionTagsMax).optional().meta({ description: 'In place of all tags.' }),
  metadata: jsonObject.nullable().optional().meta({ description: 'In place of all metadata; null clears it.' }),
  externalId: externalId
    .nullable()
    .optional()
    .meta({ description: 'Cannot change: refused unless it is the present one.' }),
});

const updateBody: JsonBody<z.output<typeof updateFields>> = {
  schema: updateFields.meta({ id: 'UpdateSessionRequestBody' }),
  bytesMax: createBodyBytesMax,
  refusals: 'detailed',
};

export const updateSessionRoute = ({ useCases }: HttpParts): Route => ({
  method: 'PATCH',
  path: '/api/v1/sessions/:session',
  crossOrigin: true,
  credential: 'secret or public',
  operation: {
    id: 'update_session',
    tag: 'sessions',
    summary: 'Update a session',
    description:
      'What is absent stays as it is, what is there is replaced whole. Closed and expired sessions can be updated. Needs a secret key, or a token with `admin:sessions`.',
    body: updateBody,
    answers: { 200: { description: 'The session as it is now.', schema: sessionObject } },
    refusals: ['session_not_found', 'external_id_fixed'],
  },
  async answer(exchange) {
    const fields = await readBody(exchange, updateBody);
    const session = await sessionToChange(exchange, {
      useCases,
      checks: mayAdministerSession,
      missing: 'session_not_found',
    });
    const { externalId: named, ...update } = withoutUndefined(fields);
    const order = { session, update, ...(named === undefined ? {} : { externalId: named }) };
    exchange.body = sessionJson(orRefuse(await useCases.updateSession(order)));
  },
});
