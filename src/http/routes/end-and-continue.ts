import { z } from 'zod';
import { parseRunId } from '../../domain/ids.ts';
import { deploymentIdLengthMax, handOverReasonLengthMax, smallBodyBytesMax } from '../../domain/limits.ts';
import { handOverReason } from '../../domain/run.ts';
import { mayWriteSession } from '../../domain/scope.ts';
import { sessionToChange } from '../addressed-session.ts';
import type { HttpParts } from '../http-parts.ts';
import { readBody } from '../json-body.ts';
import type { JsonBody } from '../operation.ts';
import { orRefuse } from '../refusal.ts';
import { requestKeyHeader, requestKeyHeaders, requestKeyOf } from '../request-key.ts';
import { callerOf, type Route } from '../route.ts';
import { name, text } from '../session-fields.ts';
import { handedOver, type Wire } from '../wire-schemas.ts';

const handOverFields = z.object({
  callingRunId: z
    .string()
    .meta({ description: 'The run that hands over; nothing happens unless it is still current.' }),
  reason: text(handOverReasonLengthMax).meta({
    description: '`upgrade` moves the session to another deployment; any other text counts as `manual`.',
  }),
  externalDeploymentId: name(deploymentIdLengthMax)
    .optional()
    .meta({ description: 'Of an upgrade: the deployment of the runs to come.' }),
});

const handOverBody: JsonBody<z.output<typeof handOverFields>> = {
  schema: handOverFields.meta({ id: 'EndAndContinueRequestBody' }),
  bytesMax: smallBodyBytesMax,
  refusals: 'plain',
};

export const endAndContinueRoute = ({ useCases }: HttpParts): Route => ({
  method: 'POST',
  path: '/api/v1/sessions/:session/end-and-continue',
  crossOrigin: true,
  credential: 'secret or public',
  operation: {
    id: 'end_and_continue_session',
    tag: 'sessions',
    summary: 'Hand over to a fresh run',
    description:
      'Starts a new run while `callingRunId` is still the current one, and does not stop that one. A caller that lost the race is told the run that is current.',
    headers: requestKeyHeaders,
    body: handOverBody,
    answers: { 200: { description: 'The run that is current now.', schema: handedOver } },
    refusals: ['hand_over_ended', 'resource_not_found', 'calling_run_not_found'],
  },
  async answer(exchange) {
    const { callingRunId, reason, externalDeploymentId = null } = await readBody(exchange, handOverBody);
    const session = await sessionToChange(exchange, {
      useCases,
      checks: mayWriteSession,
      missing: 'resource_not_found',
    });
    const { environment, grant } = callerOf(exchange);
    const { pendingVersion, ...outcome } = orRefuse(
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
    exchange.state.runId = outcome.runId;
    exchange.body = { ...outcome, ...(pendingVersion ? { pendingVersion } : {}) } satisfies Wire<typeof handedOver>;
  },
});
