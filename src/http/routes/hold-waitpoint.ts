import { parseRunId, parseWaitpointId } from '../../domain/ids.ts';
import type { WaitpointState } from '../../domain/waitpoint.ts';
import type { HttpParts } from '../http-parts.ts';
import { orRefuse } from '../refusal.ts';
import { callerOf, pathPart, type Route } from '../route.ts';

/**
 * Blocks a run on a waitpoint (protocol section 8.2). The official client wants `success` and reads nothing else: after it,
 * its runtime waits for the outcome. Ours answers with the outcome, or `WAITING` after half a minute: then it is asked again.
 */
export const holdWaitpointRoute = ({ waitpoints }: Pick<HttpParts, 'waitpoints'>): Route => ({
  method: 'POST',
  path: '/engine/v1/runs/:run/waitpoints/tokens/:waitpoint/wait',
  crossOrigin: false,
  credential: 'secret',
  async answer(exchange) {
    const { environment } = callerOf(exchange);
    const runId = parseRunId(pathPart(exchange, 'run'));
    const id = parseWaitpointId(pathPart(exchange, 'waitpoint'));
    if (runId !== null) exchange.state.runId = runId;
    const leaving = new AbortController();
    exchange.res.once('close', () => leaving.abort());
    const { state } = orRefuse(await waitpoints.hold({ environment, runId, id }, leaving.signal));
    exchange.body = { success: true, ...outcomeJson(state) };
  },
});

interface OutcomeJson {
  readonly status: 'WAITING' | 'COMPLETED' | 'TIMED_OUT';
  readonly output?: string;
  readonly outputType?: 'application/json';
  readonly outputIsError?: boolean;
}

function outcomeJson(state: WaitpointState): OutcomeJson {
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
