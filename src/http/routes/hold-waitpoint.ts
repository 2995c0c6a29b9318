import { z } from 'zod';
import { parseWaitpointId } from '../../domain/ids.ts';
import type { WaitpointState } from '../../domain/waitpoint.ts';
import { runToJudge } from '../addressed-run.ts';
import type { HttpParts } from '../http-parts.ts';
import { orRefuse } from '../refusal.ts';
import { callerOf, pathPart, type Route } from '../route.ts';
import type { Wire } from '../wire-schemas.ts';

const heldWaitpoint = z
  .object({
    success: z.literal(true),
    status: z.enum(['WAITING', 'COMPLETED', 'TIMED_OUT']).meta({ description: '`WAITING`: ask again.' }),
    output: z.string().optional().meta({ description: 'Text of the record, or JSON of an error.' }),
    outputType: z.literal('application/json').optional(),
    outputIsError: z.boolean().optional(),
  })
  .meta({ id: 'HoldWaitpointResponseBody' });

/**
 * Blocks a run on a waitpoint (protocol section 8.2). The official client wants `success` and reads nothing else: after it,
 * its runtime waits for the outcome. Ours answers with the outcome, or `WAITING` after half a minute: then it is asked again.
 */
export const holdWaitpointRoute = ({ waitpoints, useCases }: Pick<HttpParts, 'waitpoints' | 'useCases'>): Route => ({
  method: 'POST',
  path: '/engine/v1/runs/:run/waitpoints/tokens/:waitpoint/wait',
  crossOrigin: false,
  credential: 'scoped secret',
  operation: {
    id: 'hold_waitpoint',
    tag: 'runs',
    summary: 'Wait until a waitpoint completes',
    description: 'Answers with the outcome, or after half a minute without one that it is still waited for.',
    answers: { 200: { description: 'The waitpoint as it is now.', schema: heldWaitpoint } },
    refusals: ['scope_missing', 'run_not_found', 'waitpoint_not_found', 'waiters_crowded'],
  },
  async answer(exchange) {
    const { environment } = callerOf(exchange);
    const runId = await runToJudge(exchange, useCases);
    const id = parseWaitpointId(pathPart(exchange, 'waitpoint'));
    const leaving = new AbortController();
    exchange.res.once('close', () => leaving.abort());
    const { state } = orRefuse(await waitpoints.hold({ environment, runId, id }, leaving.signal));
    exchange.body = { success: true, ...outcomeJson(state) };
  },
});

function outcomeJson(state: WaitpointState): Omit<Wire<typeof heldWaitpoint>, 'success'> {
  switch (state.kind) {
    case 'pending':
      return { status: 'WAITING' };
    case 'record':
      return { status: 'COMPLETED', ...outputJson(state.text ?? 'null', false) };
    case 'timeout':
      return { status: 'TIMED_OUT', ...outputJson(JSON.stringify({ message: 'Timed out' }), true) };
    case 'ended':
      return { status: 'COMPLETED', ...outputJson(JSON.stringify({ message: 'The session has ended' }), true) };
  }
}

const outputJson = (output: string, outputIsError: boolean) =>
  ({ output, outputType: 'application/json', outputIsError }) as const;
