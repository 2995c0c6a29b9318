import { z } from 'zod';
import { smallBodyBytesMax } from '../../domain/limits.ts';
import { attemptKeyTtlSeconds, signAttemptKey } from '../../tokens/attempt-key.ts';
import { runToActOn } from '../addressed-run.ts';
import type { HttpParts } from '../http-parts.ts';
import { readBody } from '../json-body.ts';
import type { JsonBody } from '../operation.ts';
import { orRefuse } from '../refusal.ts';
import { callerOf, type Route } from '../route.ts';
import type { Wire } from '../wire-schemas.ts';

/** PostgreSQL counts attempts in 32 bits. */
const claimBody: JsonBody<{ readonly attempt: number }> = {
  schema: z.object({ attempt: z.int().min(1).max(2_147_483_647) }).meta({ id: 'ClaimRunRequestBody' }),
  bytesMax: smallBodyBytesMax,
  refusals: 'plain',
};

const claim = z
  .object({
    sessionId: z.string(),
    runNumber: z.int().min(1),
    attempt: z.int().min(1),
    cursor: z.int().min(0).meta({ description: 'Next `seq` of `in` that no run has consumed.' }),
    deadlineAt: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'End of `maxDuration`, counted from the first claim.' }),
    attemptKey: z
      .string()
      .meta({ description: 'Key of this attempt alone: what it writes is refused once another has claimed.' }),
  })
  .meta({ id: 'ClaimRunResponseBody' });

/** Ours, not the protocol's: the first call of each attempt (lifecycle section 5). */
export const claimRunRoute = ({ useCases, keys }: HttpParts): Route => ({
  method: 'POST',
  path: '/api/v1/runs/:run/claim',
  crossOrigin: false,
  credential: 'scoped secret',
  operation: {
    id: 'claim_run',
    tag: 'runs',
    summary: 'Claim a run for one attempt',
    description: 'The first call of each attempt of a task: from then on this attempt alone writes for the session.',
    body: claimBody,
    answers: { 200: { description: 'Granted.', schema: claim } },
    refusals: ['scope_missing', 'run_not_found', 'claim_refused'],
  },
  async answer(exchange) {
    const claimant = callerOf(exchange);
    const { environment } = claimant;
    const { attempt } = await readBody(exchange, claimBody);
    const runId = await runToActOn(exchange, useCases);
    const granted = orRefuse(await useCases.claimRun({ environmentId: environment.id, runId, attempt }));
    exchange.state.sessionId = granted.sessionId;
    const { sessionId, runNumber, deadlineAt } = granted;
    const attemptKey = await signAttemptKey(keys, {
      environment,
      attempt: { sessionId, runId, runNumber, attempt },
      claimant,
      ttlSeconds: attemptKeyTtlSeconds(deadlineAt, Date.now()),
    });
    exchange.body = {
      ...granted,
      deadlineAt: deadlineAt?.toISOString() ?? null,
      attemptKey,
    } satisfies Wire<typeof claim>;
  },
});
