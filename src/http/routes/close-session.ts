import { z } from 'zod';
import { parseRunId, type RunId } from '../../domain/ids.ts';
import { closeReasonLengthMax, smallBodyBytesMax } from '../../domain/limits.ts';
import { mayAdministerSession } from '../../domain/scope.ts';
import { sessionToChange } from '../addressed-session.ts';
import type { HttpParts } from '../http-parts.ts';
import { validOrRefuse } from '../problems.ts';
import { readJson } from '../read-json.ts';
import { callerOf, type Route } from '../route.ts';
import { text } from '../session-fields.ts';
import { sessionJson } from '../session-json.ts';

const closeBody = z.object({
  reason: text(closeReasonLengthMax).optional(),
  callingRunId: z
    .custom<RunId>((value) => typeof value === 'string' && parseRunId(value) !== null, 'Invalid run id')
    .optional(),
});

export const closeSessionRoute = ({ useCases }: HttpParts): Route => ({
  method: 'POST',
  path: '/api/v1/sessions/:session/close',
  crossOrigin: true,
  credential: 'secret or public',
  async answer(exchange) {
    const body = await readJson(exchange, { bytesMax: smallBodyBytesMax, refusals: 'plain', whenEmpty: {} });
    const { reason = null, callingRunId = null } = validOrRefuse(closeBody, body);
    const session = await sessionToChange(exchange, {
      useCases,
      checks: mayAdministerSession,
      missing: 'session_not_found',
    });
    const { environment } = callerOf(exchange);
    exchange.body = sessionJson(await useCases.closeSession({ environment, session, reason, callingRunId }));
  },
});
