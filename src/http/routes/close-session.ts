import { z } from 'zod';
import { parseRunId, type RunId, runIdPattern } from '../../domain/ids.ts';
import { closeReasonLengthMax, smallBodyBytesMax } from '../../domain/limits.ts';
import { mayAdministerSession } from '../../domain/scope.ts';
import { sessionToChange } from '../addressed-session.ts';
import type { HttpParts } from '../http-parts.ts';
import { readBody } from '../json-body.ts';
import type { JsonBody } from '../operation.ts';
import { callerOf, type Route } from '../route.ts';
import { text } from '../session-fields.ts';
import { sessionJson } from '../session-json.ts';
import { sessionObject } from '../wire-schemas.ts';

const closeFields = z.object({
  reason: text(closeReasonLengthMax)
    .optional()
    .meta({ description: 'Kept with the session; of the first close only.' }),
  callingRunId: z
    .custom<RunId>((value) => typeof value === 'string' && parseRunId(value) !== null, 'Invalid run id')
    .optional()
    .meta({ type: 'string', pattern: runIdPattern.source, description: 'The run that closes its own session.' }),
});

const closeBody: JsonBody<z.output<typeof closeFields>> = {
  schema: closeFields.meta({ id: 'CloseSessionRequestBody' }),
  bytesMax: smallBodyBytesMax,
  refusals: 'plain',
  whenEmpty: {},
};

export const closeSessionRoute = ({ useCases }: HttpParts): Route => ({
  method: 'POST',
  path: '/api/v1/sessions/:session/close',
  crossOrigin: true,
  credential: 'secret or public',
  operation: {
    id: 'close_session',
    tag: 'sessions',
    summary: 'Close a session',
    description:
      'Final, and once: a repeated close answers the session as the first one left it. A live run is told, and may finish its turn. Needs a secret key, or a token with `admin:sessions`.',
    body: closeBody,
    answers: { 200: { description: 'The closed session.', schema: sessionObject } },
    refusals: ['session_not_found'],
  },
  async answer(exchange) {
    const { reason = null, callingRunId = null } = await readBody(exchange, closeBody);
    const session = await sessionToChange(exchange, {
      useCases,
      checks: mayAdministerSession,
      missing: 'session_not_found',
    });
    const { environment } = callerOf(exchange);
    exchange.body = sessionJson(await useCases.closeSession({ environment, session, reason, callingRunId }));
  },
});
