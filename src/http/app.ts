/** The HTTP API: what happens to every request, in order, and which routes there are. */
import { Router } from '@koa/router';
import Koa, { type Middleware } from 'koa';
import type { KeyRing } from '../tokens/key-ring.ts';
import { admitCaller } from './admit-caller.ts';
import { answerFailures } from './answer-failure.ts';
import { allowCrossOrigin, answerPreflights } from './cross-origin.ts';
import { type HttpParts, noRateLimits } from './http-parts.ts';
import { observeRequests } from './observe-requests.ts';
import { refuse } from './refusal.ts';
import type { Exchange, RequestState, Route } from './route.ts';
import { documentRoutes } from './routes/api-document.ts';
import { appendRecordRoutes } from './routes/append-record.ts';
import { cancelRunRoute } from './routes/cancel-run.ts';
import { claimRunRoute } from './routes/claim-run.ts';
import { closeSessionRoute } from './routes/close-session.ts';
import { commitCursorRoute } from './routes/commit-cursor.ts';
import { createSessionRoute } from './routes/create-session.ts';
import { endAndContinueRoute } from './routes/end-and-continue.ts';
import { followStreamRoutes, measureStreamRoutes } from './routes/follow-stream.ts';
import { aliveRoute, readyRoute } from './routes/health.ts';
import { holdWaitpointRoute } from './routes/hold-waitpoint.ts';
import { listSessionsRoute } from './routes/list-sessions.ts';
import { openWriterRoutes } from './routes/open-writer.ts';
import { publicTokensRoute } from './routes/public-tokens.ts';
import { readRecordsRoutes } from './routes/read-records.ts';
import { retrieveRunRoute } from './routes/retrieve-run.ts';
import { retrieveSessionRoute } from './routes/retrieve-session.ts';
import { snapshotObjectRoutes } from './routes/snapshot-object.ts';
import { snapshotUrlRoutes } from './routes/snapshot-url.ts';
import { tokenClaimsRoute } from './routes/token-claims.ts';
import { transcriptRoute } from './routes/transcript.ts';
import { updateSessionRoute } from './routes/update-session.ts';
import { waitOnStreamRoute } from './routes/wait-on-stream.ts';
import { writeRecordsRoutes } from './routes/write-records.ts';
import { finishUnread } from './unread-body.ts';
import { type UsedTokens, useOnce } from './use-once.ts';

/** In this order: of routes that match, the first answers. */
export function routesOf(parts: HttpParts): readonly Route[] {
  const routes = apiRoutes(parts);
  return [...routes, ...documentRoutes(routes)];
}

const apiRoutes = (parts: HttpParts): readonly Route[] => [
  createSessionRoute(parts),
  listSessionsRoute(parts),
  retrieveSessionRoute(parts),
  updateSessionRoute(parts),
  closeSessionRoute(parts),
  endAndContinueRoute(parts),
  ...snapshotUrlRoutes(parts),
  ...snapshotObjectRoutes(parts),
  transcriptRoute(parts),
  ...appendRecordRoutes(parts),
  ...readRecordsRoutes(parts),
  ...measureStreamRoutes(parts),
  ...writeRecordsRoutes(parts),
  ...followStreamRoutes(parts),
  ...openWriterRoutes(parts),
  retrieveRunRoute(parts),
  cancelRunRoute(parts),
  claimRunRoute(parts),
  waitOnStreamRoute(parts),
  holdWaitpointRoute(parts),
  commitCursorRoute(parts),
  tokenClaimsRoute,
  publicTokensRoute(parts),
  aliveRoute,
  readyRoute(parts),
];

export const httpApp = (parts: HttpParts): Koa<RequestState> => appOf(routesOf(parts), parts);

/** What a process without the API answers: no key opens anything there. */
export function healthApp(parts: Pick<HttpParts, 'probes' | 'observe'>): Koa<RequestState> {
  const closed = { keys: noKeys, usedTokens: noTokens, rateLimits: noRateLimits };
  return appOf([aliveRoute, readyRoute(parts)], { ...parts, ...closed });
}

const noKeys: KeyRing = {
  keyOf: async () => null,
  owner: async () => null,
  isLive: async () => false,
  watch: () => () => undefined,
  refresh: () => undefined,
  stop: () => undefined,
};
const noTokens: UsedTokens = { take: async () => false, giveBack: async () => undefined };

type AppParts = Pick<HttpParts, 'keys' | 'usedTokens' | 'rateLimits' | 'observe'>;

/** `proxy` stays off: Koa believes no forwarded header. */
function appOf(routes: readonly Route[], parts: AppParts): Koa<RequestState> {
  const app = new Koa<RequestState>();
  const crossOriginPaths = new Set<unknown>(routes.filter((route) => route.crossOrigin).map((route) => route.path));
  const isCrossOrigin = (path: unknown) => crossOriginPaths.has(path);
  const realtime = routerOf(
    routes.filter(({ path }) => isRealtime(path)),
    { parts, isCrossOrigin },
  );
  const others = routerOf(
    routes.filter(({ path }) => !isRealtime(path)),
    { parts, isCrossOrigin },
  );
  const routerAt = (path: string) => (isRealtime(path) ? realtime : others);

  app.use(observeRequests(parts.observe));
  app.use(forbidSniffing);
  app.use(finishUnread);
  app.use(answerFailures(parts.observe));
  app.use(refuseBadTarget);
  app.use(routed(handlerOf(realtime), handlerOf(others)));
  app.use(
    answerPreflights((path) =>
      routerAt(path)
        .match(path, '')
        .path.some((layer) => isCrossOrigin(layer.path)),
    ),
  );
  app.use(refuseUnmatched(routerAt));
  app.on('error', (error: unknown) => parts.observe({ kind: 'answer_undelivered', error }));
  return app;
}

/** A router tries its patterns one by one: appends need not be held against those of all other routes. */
const isRealtime = (path: string): boolean => path.startsWith('/realtime/');

const routed =
  (realtime: Middleware<RequestState>, others: Middleware<RequestState>): Middleware<RequestState> =>
  (exchange, next) =>
    isRealtime(exchange.path) ? realtime(exchange, next) : others(exchange, next);

// What the router adds to an exchange, it adds itself.
const handlerOf = (router: Router<RequestState>) => router.routes() as Middleware<RequestState>;

interface RouterParts {
  readonly parts: AppParts;
  readonly isCrossOrigin: (path: string) => boolean;
}

/** Segments are matched raw and case-sensitively: `%2F` inside an external id is no slash. */
function routerOf(routes: readonly Route[], { parts, isCrossOrigin }: RouterParts): Router<RequestState> {
  const router = new Router<RequestState>({ sensitive: true, strict: true });
  for (const route of routes) {
    const answer = serve(route, parts);
    router.register(route.path, [route.method], isCrossOrigin(route.path) ? toBrowsers(answer) : answer);
  }
  return router;
}

const toBrowsers =
  (answer: Middleware<RequestState>): Middleware<RequestState> =>
  (exchange, next) => {
    allowCrossOrigin(exchange);
    return answer(exchange, next);
  };

const serve =
  (route: Route, parts: AppParts): Middleware<RequestState> =>
  async (exchange) => {
    exchange.state.route = route;
    if (route.credential === 'none') return route.answer(exchange);
    const { caller, once } = await admitCaller(exchange, parts, route.credential);
    exchange.state.caller = caller;
    if (once === null) return route.answer(exchange);
    await useOnce(parts.usedTokens, once, () => route.answer(exchange));
  };

const forbidSniffing: Middleware<RequestState> = (exchange, next) => {
  exchange.set('X-Content-Type-Options', 'nosniff');
  return next();
};

/** The request line may hold what is no address at all; reading its path then throws or finds none. */
const refuseBadTarget: Middleware<RequestState> = (exchange, next) => {
  try {
    if (typeof exchange.path === 'string' && isWellFormed(exchange)) return next();
  } catch {
    // Told below.
  }
  return refuse({
    code: 'invalid_params',
    details: [{ code: 'custom', message: 'Malformed request line or host', path: [] }],
  });
};

/** HTTP/1.1 asks for one host, by which proxies tell requests apart. The parser takes versions that are none. */
const isWellFormed = ({ req }: Exchange): boolean =>
  req.httpVersion === '1.0' || (req.httpVersion === '1.1' && hostsOf(req.rawHeaders) === 1);

function hostsOf(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === 'host') hosts += 1;
  return hosts;
}

const refuseUnmatched =
  (routerAt: (path: string) => Router<RequestState>): Middleware<RequestState> =>
  async ({ path, method }) => {
    const allow = [
      ...new Set(
        routerAt(path)
          .match(path, method)
          .path.flatMap((layer) => layer.methods),
      ),
    ];
    return allow.length === 0
      ? refuse({ code: 'path_unknown' })
      : refuse({ code: 'method_not_allowed', allow, method });
  };
