import { z } from 'zod';
import { parseRunId } from '../../domain/ids.ts';
import { smallBodyBytesMax } from '../../domain/limits.ts';
import { attemptKeyTtlSeconds, signAttemptKey } from '../../tokens/attempt-key.ts';
import type { HttpParts } from '../http-parts.ts';
import { validOrRefuse } from '../problems.ts';
import { readJson } from '../read-json.ts';
import { orRefuse, refuse } from '../refusal.ts';
import { callerOf, pathPart, type Route } from '../route.ts';

/** PostgreSQL counts attempts in 32 bits. */
const claimBody = z.object({ attempt: z.int().min(1).max(2_147_483_647) });

/** Ours, not the protocol's: the first call of each attempt (lifecycle section 5). */
export const claimRunRoute = ({ useCases, keys }: HttpParts): Route => ({
  method: 'POST',
  path: '/api/v1/runs/:run/claim',
  crossOrigin: false,
  credential: 'secret',
  async answer(exchange) {
    const { environment } = callerOf(exchange);
    const runId = parseRunId(pathPart(exchange, 'run'));
    const body = await readJson(exchange, { bytesMax: smallBodyBytesMax, refusals: 'plain' });
    const { attempt } = validOrRefuse(claimBody, body);
    if (runId === null) return refuse({ code: 'run_not_found' });
    exchange.state.runId = runId;
    const claim = orRefuse(await useCases.claimRun({ environmentId: environment.id, runId, attempt }));
    exchange.state.sessionId = claim.sessionId;
    const { sessionId, runNumber, deadlineAt } = claim;
    const attemptKey = await signAttemptKey(keys, {
      environment,
      attempt: { sessionId, runId, runNumber, attempt },
      ttlSeconds: attemptKeyTtlSeconds(deadlineAt, Date.now()),
    });
    exchange.body = { ...claim, deadlineAt: deadlineAt?.toISOString() ?? null, attemptKey };
  },
});
