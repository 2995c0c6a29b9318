/** CORS, exactly as protocol section 1.4 has it; on every answer of a route that browsers may call. */
import type { Middleware } from 'koa';
import type { RequestState } from './route.ts';

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

/** @param isCrossOrigin whether any route of this raw path is open to browsers */
export function crossOrigin(isCrossOrigin: (path: string) => boolean): Middleware<RequestState> {
  return async (exchange, next) => {
    if (!isCrossOrigin(exchange.path)) return next();
    const origin = exchange.get('Origin');
    exchange.vary('Origin');
    if (origin !== '') exchange.set('Access-Control-Allow-Origin', origin);
    exchange.set('Access-Control-Expose-Headers', exposedHeaders);
    if (exchange.method !== 'OPTIONS') return next();

    const requested = exchange.get('Access-Control-Request-Headers');
    exchange.vary('Access-Control-Request-Headers');
    exchange.set('Access-Control-Allow-Methods', 'GET,HEAD,PUT,PATCH,POST,DELETE');
    if (requested !== '') exchange.set('Access-Control-Allow-Headers', requested);
    exchange.set('Access-Control-Max-Age', '300');
    exchange.status = 200;
    exchange.body = {};
  };
}
