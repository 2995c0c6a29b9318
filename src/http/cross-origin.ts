/** CORS, exactly as protocol section 1.4 has it; on every answer of a route that browsers may call. */
import type { Middleware } from 'koa';
import type { Exchange, RequestState } from './route.ts';

/** Each by name: a wildcard does not cover requests with credentials, and the SDK must read all of these. */
const exposedHeaders = [
  'x-trigger-jwt',
  'x-trigger-jwt-claims',
  'X-Stream-Version',
  'X-Session-Settled',
  'X-Last-Chunk-Index',
  'x-should-retry',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'X-S2-Access-Token',
  'X-S2-Basin',
  'X-S2-Stream-Name',
  'X-S2-Endpoint',
  'X-S2-Flush-Interval-Ms',
  'X-S2-Max-Retries',
].join(',');

/** What an answer says to browsers; failures keep it. */
export function allowCrossOrigin(exchange: Exchange): void {
  const origin = exchange.get('Origin');
  exchange.set('Vary', 'Origin');
  if (origin !== '') exchange.set('Access-Control-Allow-Origin', origin);
  exchange.set('Access-Control-Expose-Headers', exposedHeaders);
}

/**
 * Requests that no route answers, but some route of their path would: preflights, and methods that do not exist.
 * @param isCrossOrigin whether any route of this raw path is open to browsers
 */
export function answerPreflights(isCrossOrigin: (path: string) => boolean): Middleware<RequestState> {
  return (exchange, next) => {
    if (!isCrossOrigin(exchange.path)) return next();
    allowCrossOrigin(exchange);
    if (exchange.method !== 'OPTIONS') return next();

    const requested = exchange.get('Access-Control-Request-Headers');
    exchange.vary('Access-Control-Request-Headers');
    exchange.set('Access-Control-Allow-Methods', 'GET,HEAD,PUT,PATCH,POST,DELETE');
    if (requested !== '') exchange.set('Access-Control-Allow-Headers', requested);
    exchange.set('Access-Control-Max-Age', '300');
    exchange.status = 200;
    exchange.body = {};
    return Promise.resolve();
  };
}
