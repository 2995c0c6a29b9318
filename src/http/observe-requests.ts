/** One fact per request, and the id that ties it to everything else said about it. */
import { randomUUID } from 'node:crypto';
import type { Middleware } from 'koa';
import type { Observe } from '../observe/facts.ts';
import type { Exchange, RequestState } from './route.ts';

const requestIdHeader = 'x-request-id';

export function observeRequests(observe: Observe): Middleware<RequestState> {
  return async (exchange, next) => {
    const startedAtMs = performance.now();
    const requestId = requestIdOf(exchange);
    exchange.state.requestId = requestId;
    exchange.set(requestIdHeader, requestId);
    exchange.res.once('close', () => {
      const { state, res } = exchange;
      observe({
        kind: 'request_answered',
        requestId,
        method: exchange.method,
        route: state.route?.path ?? null,
        status: res.statusCode,
        durationMs: performance.now() - startedAtMs,
        environment: state.caller?.environment.name,
        sessionId: state.sessionId,
        runId: state.runId,
        aborted: !res.writableFinished,
      });
    });
    await next();
  };
}

/** A proxy's id is kept when it is plain. */
function requestIdOf(exchange: Exchange): string {
  const given = exchange.get(requestIdHeader);
  return /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}
