/** Protocol section 2.4 as data: which scopes open which route. Nothing here is taken from the code that decides. */

/** What the routes are asked about: a session, another one of the same environment, and a run of the first. */
export interface Targets {
  readonly own: string;
  readonly ownId: string;
  readonly otherId: string;
  readonly runId: string;
}

/** `{own}`, `{ownId}` and `{run}` stand for the targets. */
export const scopes = [
  'admin',
  'admin:sessions',
  'admin:sessions:{own}',
  'admin:sessions:another',
  'admin:all',
  'admin:runs:{run}',
  '*:all',
  '*:sessions:{own}',
  'read:all',
  'read:sessions',
  'read:sessions:{own}',
  'read:sessions:{ownId}',
  'read:sessions:another',
  'read:tasks',
  'read:tasks:hold',
  'read:tasks:quick',
  'read:runs',
  'read:runs:{run}',
  'read:runs:run_another',
  'read:tags:blue',
  'read:tags:red',
  'write:all',
  'write:sessions',
  'write:sessions:{own}',
  'write:sessions:{ownId}',
  'write:sessions:another',
  'write:tasks',
  'write:tasks:hold',
  'write:tasks:quick',
  'write:runs',
  'write:runs:{run}',
  'write:runs:run_another',
  'write:tags:blue',
  'trigger:tasks:hold',
] as const;
export type Scope = (typeof scopes)[number];

const everything: readonly Scope[] = ['admin', '*:all'];
const readSession: readonly Scope[] = [
  ...everything,
  '*:sessions:{own}',
  'read:all',
  'read:sessions',
  'read:sessions:{own}',
  'read:sessions:{ownId}',
];
const writeSession: readonly Scope[] = [
  ...everything,
  '*:sessions:{own}',
  'write:all',
  'write:sessions',
  'write:sessions:{own}',
  'write:sessions:{ownId}',
];
const administer: readonly Scope[] = [
  ...everything,
  '*:sessions:{own}',
  'admin:all',
  'admin:sessions',
  'admin:sessions:{own}',
];
const list: readonly Scope[] = [...everything, 'read:all', 'read:sessions', 'read:tasks'];
const actOnRun: readonly Scope[] = [
  ...everything,
  'write:all',
  'write:runs',
  'write:runs:{run}',
  'write:tasks',
  'write:tasks:hold',
];

export interface RouteRow {
  /** As the server registers it. */
  readonly route: string;
  readonly path: (targets: Targets) => string;
  readonly body?: (targets: Targets) => unknown;
  /** Of restricted keys; and of public tokens, where the route takes them. */
  readonly opens: readonly Scope[];
  /** Default: the same as for keys. Null: the route takes no token. */
  readonly opensToken?: readonly Scope[] | null;
  /** Asked with a root key of another environment about this session by its id. Default: 404. */
  readonly elsewhere?: number;
}

const api = (rest: string) => (targets: Targets) => `/api/v1/sessions/${targets.ownId}${rest}`;
const run = (rest: string) => (targets: Targets) => `/api/v1/runs/${targets.runId}${rest}`;
const stream = (rest: string) => (targets: Targets) => `/realtime/v1/sessions/${targets.ownId}${rest}`;
const main = '/realtime/v1/sessions/:session/:io';
const side = '/realtime/v1/sessions/:session/channels/:channel/:io';

/** The same routes over the main pair and over a side channel. */
const streamRows = [
  [main, ''],
  [side, '/channels/notes'],
].flatMap(([route, channel]): readonly RouteRow[] => [
  { route: `HEAD ${route}`, path: stream(`${channel}/in`), opens: readSession },
  // What it hands out writes and trims: not for browsers, on either side.
  { route: `PUT ${route}`, path: stream(`${channel}/out`), opens: writeSession, opensToken: [] },
  { route: `PUT ${route}`, path: stream(`${channel}/in`), opens: writeSession, opensToken: [] },
  { route: `GET ${route}`, path: stream(`${channel}/out`), opens: readSession },
  { route: `PUT ${route}`, path: stream(`${channel}/out`), opens: writeSession, opensToken: [] },
  { route: `PUT ${route}`, path: stream(`${channel}/in`), opens: writeSession, opensToken: [] },
  { route: `GET ${route}/records`, path: stream(`${channel}/in/records`), opens: readSession },
  { route: `POST ${route}/append`, path: stream(`${channel}/in/append`), body: () => 'hello', opens: writeSession },
  {
    route: `POST ${route}/append`,
    path: stream(`${channel}/out/append`),
    body: () => '{"answer":1}',
    opens: writeSession,
    opensToken: [],
  },
  {
    route: `POST ${route}/records`,
    path: stream(`${channel}/out/records`),
    body: () => ({ records: [{ data: 1 }] }),
    opens: writeSession,
    opensToken: [],
  },
]);

/** In this order: what ends the run, and then the session, comes last. */
export const rows: readonly RouteRow[] = [
  { route: 'GET /api/v1/sessions', path: () => '/api/v1/sessions', opens: list, elsewhere: 200 },
  {
    route: 'GET /api/v1/sessions',
    path: () => '/api/v1/sessions?filter[taskIdentifier]=hold',
    opens: [...list, 'read:tasks:hold'],
    elsewhere: 200,
  },
  {
    route: 'GET /api/v1/sessions',
    path: () => '/api/v1/sessions?filter[taskIdentifier]=hold,quick',
    opens: list,
    elsewhere: 200,
  },
  { route: 'GET /api/v1/sessions/:session', path: api(''), opens: readSession },
  { route: 'GET /api/v1/sessions/:session/snapshot-url', path: api('/snapshot-url'), opens: readSession },
  { route: 'PUT /api/v1/sessions/:session/snapshot-url', path: api('/snapshot-url'), opens: writeSession },
  {
    route: 'GET /api/v1/sessions/:session/transcript',
    path: api('/transcript'),
    opens: readSession,
    opensToken: null,
  },
  { route: 'PATCH /api/v1/sessions/:session', path: api(''), body: () => ({ tags: ['seen'] }), opens: administer },
  ...streamRows,
  {
    route: 'GET /api/v3/runs/:run',
    path: ({ runId }) => `/api/v3/runs/${runId}`,
    opens: [
      ...everything,
      'read:all',
      'read:runs',
      'read:runs:{run}',
      'read:tasks',
      'read:tasks:hold',
      'read:tags:blue',
    ],
  },
  {
    route: 'POST /api/v1/runs/:run/claim',
    path: run('/claim'),
    body: () => ({ attempt: 1 }),
    opens: actOnRun,
    opensToken: null,
  },
  {
    route: 'POST /api/v1/runs/:run/cursor',
    path: run('/cursor'),
    body: () => ({ seq: 0 }),
    opens: actOnRun,
    opensToken: null,
  },
  {
    // Two things at once: to act on the run, and to read what it waits for.
    route: 'POST /api/v1/runs/:run/session-streams/wait',
    path: run('/session-streams/wait'),
    body: ({ ownId }) => ({ session: ownId, io: 'in', lastSeqNum: 1_000_000 }),
    opens: everything,
    opensToken: null,
  },
  {
    route: 'POST /engine/v1/runs/:run/waitpoints/tokens/:waitpoint/wait',
    path: ({ runId }) => `/engine/v1/runs/${runId}/waitpoints/tokens/waitpoint_${'0'.repeat(25)}/wait`,
    opens: actOnRun,
    opensToken: null,
  },
  {
    route: 'POST /api/v1/auth/jwt/claims',
    path: () => '/api/v1/auth/jwt/claims',
    // An additional key signs nothing.
    opens: [],
    opensToken: null,
    elsewhere: 200,
  },
  {
    route: 'POST /api/v1/auth/public-tokens',
    path: () => '/api/v1/auth/public-tokens',
    body: ({ own }) => ({ scopes: [`read:sessions:${own}`] }),
    opens: [...everything, '*:sessions:{own}', 'read:all', 'read:sessions', 'read:sessions:{own}'],
    opensToken: null,
    elsewhere: 200,
  },
  {
    route: 'POST /api/v1/sessions/:session/end-and-continue',
    path: api('/end-and-continue'),
    body: ({ runId }) => ({ callingRunId: runId, reason: 'manual' }),
    opens: writeSession,
  },
  { route: 'POST /api/v2/runs/:run/cancel', path: ({ runId }) => `/api/v2/runs/${runId}/cancel`, opens: actOnRun },
  {
    route: 'POST /api/v1/sessions',
    path: () => '/api/v1/sessions',
    body: ({ own }) => ({
      type: 'chat.agent',
      taskIdentifier: 'hold',
      externalId: own,
      triggerConfig: { basePayload: {} },
    }),
    opens: [...writeSession, 'write:tasks', 'write:tasks:hold'],
    elsewhere: 201,
  },
  { route: 'POST /api/v1/sessions/:session/close', path: api('/close'), body: () => ({}), opens: administer },
];
