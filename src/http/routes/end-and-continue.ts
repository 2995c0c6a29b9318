import { z } from 'zod';
import { parseRunId } from '../../domain/ids.ts';
import { deploymentIdLengthMax, handOverReasonLengthMax, smallBodyBytesMax } from '../../domain/limits.ts';
import { handOverReason } from '../../domain/run.ts';
import { mayWriteSession } from '../../domain/scope.ts';
import { sessionToChange } from '../addressed-session.ts';
import type { HttpParts } from '../http-parts.ts';
import { validOrRefuse } from '../problems.ts';
import { readJson } from '../read-json.ts';
import { orRefuse } from '../refusal.ts';
import { requestKeyHeader, requestKeyOf } from '../request-key.ts';
import { callerOf, type Route } from '../route.ts';
import { name, text } from '../session-fields.ts';

const handOverBody = z.object({
  callingRunId: z.string(),
  reason: text(handOverReasonLengthMax),
  externalDeploymentId: name(deploymentIdLengthMax).optional(),
});

export const endAndContinueRoute = ({ useCases }: HttpParts): Route => ({
  method: 'POST',
  path: '/api/v1/sessions/:session/end-and-continue',
  crossOrigin: true,
  credential: 'secret or public',
  async answer(exchange) {
    const read = await readJson(exchange, { bytesMax: smallBodyBytesMax, refusals: 'plain' });
    const { callingRunId, reason, externalDeploymentId = null } = validOrRefuse(handOverBody, read);
    const session = await sessionToChange(exchange, {
      useCases,
      checks: mayWriteSession,
      missing: 'resource_not_found',
    });
    const { environment, grant } = callerOf(exchange);
    const { pendingVersion, ...handedOver } = orRefuse(
      await useCases.endAndContinue({
        environment,
        session,
        callingRunId: parseRunId(callingRunId),
        seesOtherSessions: grant.kind === 'all',
        reason: handOverReason(reason),
        requestKey: requestKeyOf(exchange.get(requestKeyHeader)),
        externalDeploymentId,
      }),
    );
    exchange.state.runId = handedOver.runId;
    exchange.body = { ...handedOver, ...(pendingVersion ? { pendingVersion } : {}) };
  },
});
