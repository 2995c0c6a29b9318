/** The composition root: every part is made here, in order, and stopped in the reverse one. */
import type { Activities } from '../activities/index.ts';
import { createActivities } from '../activities/index.ts';
import { repairsOf } from './domain/reconcile.ts';
import { readFailpoints } from './failpoints.ts';
import { healthApp, httpApp } from './http/app.ts';
import { listen } from './http/listen.ts';
import type { UseCases } from './http/use-cases.ts';
import { takeInstanceLock } from './instance-lock.ts';
import { logFacts } from './observe/log-facts.ts';
import { openKeys } from './open-keys.ts';
import { openRateLimits } from './open-rate-limits.ts';
import { openRows, type Rows } from './open-rows.ts';
import { openSnapshots } from './open-snapshots.ts';
import { openTemporal, type TemporalParts } from './open-temporal.ts';
import { openDataPlane } from './s2/data-plane.ts';
import type { ServerOptions } from './server-options.ts';
import { cancelRun } from './sessions/cancel-run.ts';
import { claimRun } from './sessions/claim-run.ts';
import { closeSession } from './sessions/close-session.ts';
import { commitCursor } from './sessions/commit-cursor.ts';
import { createSession } from './sessions/create-session.ts';
import { endAndContinue } from './sessions/end-and-continue.ts';
import { listSessions } from './sessions/list-sessions.ts';
import { newRecordId, newRunId, newSessionId, newWaitpointId } from './sessions/new-ids.ts';
import { isPendingVersion } from './sessions/pending-version.ts';
import type { Failpoints, SessionOrders } from './sessions/ports.ts';
import { reconcile } from './sessions/reconcile.ts';
import { retrieveRun } from './sessions/retrieve-run.ts';
import { retrieveSession } from './sessions/retrieve-session.ts';
import { openSeenRows } from './sessions/seen-rows.ts';
import { labelTeller } from './sessions/tell-labels.ts';
import { updateSession } from './sessions/update-session.ts';
import { workflowIdOf } from './sessions/workflow-id.ts';
import { createStopStack, type StopStack } from './stop-stack.ts';
import { sqlRepairStore } from './storage/find-repairs.ts';
import { sqlSessionList } from './storage/list-sessions.ts';
import { sqlStreamStore } from './storage/streams/sql-stream-store.ts';
import { sqlTransitions } from './storage/transitions/sql-transitions.ts';
import { sqlUsedTokens } from './storage/used-tokens.ts';
import { sqlWaitpointStore } from './storage/waitpoints/sql-waitpoint-store.ts';
import { openStreams, type Streams } from './streams/streams.ts';
import { openWaitpoints, type Waitpoints } from './streams/waitpoints.ts';
import { pingTemporal } from './temporal/connect.ts';
import { LocalWorker } from './temporal/local-worker.ts';
import { keepReconcileSchedule } from './temporal/reconcile-schedule.ts';
import { temporalOwnerObserver, temporalRunObserver } from './temporal/run-observer.ts';
import { temporalSessionOrders } from './temporal/session-orders.ts';
import { startSessionWorker } from './temporal/session-worker.ts';
import { workflowSource } from './workflow-source.ts';

export interface RunningServer {
  /** Null without the API role. */
  readonly apiUrl: string | null;
  /** Null when Temporal is not the embedded one. */
  readonly temporalUiUrl: string | null;
  readonly temporalAddress: string;
  /** To print; null when the keys are the operator's own. */
  readonly devKey: string | null;
  stop(): Promise<void>;
}

/** How long answers under way may take once the server is told to stop. */
const httpGraceMs = 5_000;

/** @throws with a sentence for the user; whatever had been started is stopped again */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const stops = createStopStack(({ part, error }) => options.log.warn({ part, error }, 'a part did not stop in order'));
  try {
    return await startParts(options, stops);
  } catch (thrown) {
    await stops.stop();
    throw thrown;
  }
}

async function startParts(options: ServerOptions, stops: StopStack): Promise<RunningServer> {
  const { roles, log } = options;
  const failpoints = readFailpoints(options.config.failpoints);
  await lockFolder(options, stops);
  // The embedded engines are independent and slow to start the first time.
  const [rows, temporal] = await bothOrNeither([openRows(options, stops), openTemporal(options, stops)]);
  const localWorker = roles.sessionWorker ? new LocalWorker() : null;
  const orders = temporalSessionOrders({ client: temporal.client, localWorker });
  const parts: Parts = { options, stops, rows, temporal, localWorker, orders, failpoints };
  const { apiUrl, devKey } = roles.api ? await startApi(parts) : await startWithoutApi(parts);
  log.info({ apiUrl, temporal: temporal.address, roles }, 'perdure is up');
  return {
    apiUrl,
    temporalUiUrl: temporal.uiUrl,
    temporalAddress: temporal.address,
    devKey,
    stop: () => stops.stop(),
  };
}

/** Two processes on one embedded database or Temporal store would destroy it. */
async function lockFolder({ config, onProgress }: ServerOptions, stops: StopStack): Promise<void> {
  if (config.databaseUrl !== null && config.temporal.address !== null) return;
  const lock = await takeInstanceLock(config.dataDir, { onProgress });
  stops.push('instance lock', () => lock.release(), 2_000);
}

const urlOf = (host: string, port: number): string => `http://${host.includes(':') ? `[${host}]` : host}:${port}`;

/** A rejection must not leave the other one's part unowned: both have settled before it is thrown. */
async function bothOrNeither<One, Two>(starting: [Promise<One>, Promise<Two>]): Promise<[One, Two]> {
  await Promise.allSettled(starting);
  return Promise.all(starting);
}

interface Parts {
  readonly options: ServerOptions;
  readonly stops: StopStack;
  readonly rows: Rows;
  readonly temporal: TemporalParts;
  /** Null without the role. */
  readonly localWorker: LocalWorker | null;
  readonly orders: SessionOrders;
  readonly failpoints: Failpoints;
}

type Entrance = Pick<RunningServer, 'apiUrl' | 'devKey'>;

async function startApi(parts: Parts): Promise<Entrance> {
  const { options, stops, rows } = parts;
  const { config, log } = options;
  const observe = logFacts(log);
  const keys = await openKeys({ config, database: rows.database, log }, stops);
  const streams = streamsOf(parts);
  const waitpoints = waitpointsOf(parts, streams);
  let apiUrl = config.publicUrl ?? '';
  const app = httpApp({
    useCases: useCasesOf(parts),
    streams,
    waitpoints,
    keys: keys.ring,
    rateLimits: openRateLimits(config, rows.database),
    snapshots: { store: openSnapshots(options, rows.database), urls: keys.snapshotUrls, publicUrl: () => apiUrl },
    usedTokens: sqlUsedTokens(rows.database),
    s2Url: config.s2Url,
    observe,
    probes: probesOf(parts),
  });
  const dataPlane = openDataPlane({ streams, keys: keys.ring, observe });
  const listener = await listen(app, { host: config.host, port: config.port }, dataPlane);
  apiUrl ||= urlOf(config.host, listener.port);
  try {
    // The port is bound before the worker polls, because each run is told the URL.
    await startWorker(parts, apiUrl);
  } finally {
    // The last to start is the first to stop: answers under way wait for what only the worker does.
    stops.push('http', () => listener.close(httpGraceMs), httpGraceMs + 1_000);
    // Their answers never end by themselves.
    stops.push('tails', async () => streams.stop(), 1_000);
    stops.push('waits', () => waitpoints.stop(), 3_000);
  }
  return { apiUrl, devKey: keys.devKey };
}

/** A supervisor can ask a process without the API for its health as well. */
async function startWithoutApi(parts: Parts): Promise<Entrance> {
  const { config, log } = parts.options;
  const { host, port, healthPort } = config;
  if (healthPort !== null) {
    const listener = await listen(healthApp({ observe: logFacts(log), probes: probesOf(parts) }), {
      host,
      port: healthPort,
    });
    parts.stops.push('health', () => listener.close(0), 1_000);
  }
  await startWorker(parts, config.publicUrl ?? urlOf(host, port));
  return { apiUrl: null, devKey: null };
}

const probesOf = ({ rows, temporal }: Parts) => ({
  database: () => rows.database.ping(),
  temporal: () => pingTemporal(temporal.connection),
});

function useCasesOf({ options, rows, temporal, orders, failpoints }: Parts): UseCases {
  const { sessions, runs, changes } = rows;
  const observer = temporalRunObserver(temporal.client, temporal.namespace);
  const tellLabels = labelTeller({
    orders,
    onUntold: (sessionId, error) => options.log.warn({ sessionId, error }, 'Temporal shows old tags of a session'),
  });
  const parts = { sessions, runs, orders, observer, changes, failpoints };
  const creating = { ...parts, rows: openSeenRows(parts.sessions), tellLabels, newSessionId, now: () => new Date() };
  return {
    createSession: (order) => createSession(creating, order),
    retrieveSession: (address) => retrieveSession({ sessions }, address),
    listSessions: (order) => listSessions({ list: sqlSessionList(rows.database) }, order),
    closeSession: (order) => closeSession({ sessions, orders, changes }, order),
    updateSession: (order) => updateSession({ sessions, tellLabels }, order),
    endAndContinue: (request) => endAndContinue({ sessions, runs, orders, observer, changes }, request),
    retrieveRun: (address) => retrieveRun({ runs, observer }, address),
    cancelRun: (address) => cancelRun({ sessions, runs, orders, changes }, address),
    claimRun: (order) => claimRun({ runs, failpoints }, order),
    commitCursor: (order) => commitCursor({ runs }, order),
  };
}

function waitpointsOf({ options, rows, failpoints }: Parts, { locate }: Streams): Waitpoints {
  return openWaitpoints({
    store: sqlWaitpointStore(rows.database),
    runs: rows.runs,
    locate,
    changes: rows.changes,
    failpoints,
    newWaitpointId,
    workflowIdOf: (environment, externalId) => workflowIdOf(environment.name, externalId, ''),
    onFault: (error) => options.log.error({ error }, 'a look at waitpoints failed'),
  });
}

function streamsOf({ options, rows, temporal, orders, failpoints }: Parts): Streams {
  const { log } = options;
  const observer = temporalRunObserver(temporal.client, temporal.namespace);
  return openStreams({
    store: sqlStreamStore(rows.database),
    sessions: rows.sessions,
    orders,
    changes: rows.changes,
    failpoints,
    parking: { runs: rows.runs, isPendingVersion: (task) => isPendingVersion(observer, task) },
    readerLimits: options.config.readers,
    // PGlite has one connection: a second transaction would only wait for it.
    ...(rows.database.kind === 'pglite' ? { flushes: 1 } : {}),
    newRecordId,
    workflowIdOf: (environment, externalId) => workflowIdOf(environment.name, externalId, ''),
    onWakeUndelivered: (run, error) =>
      log.warn({ sessionId: run.sessionId, run: run.runNumber, error }, 'a wake is left to the reconciler'),
    onFault: (error) => log.error({ error }, 'a look at watched streams failed'),
  });
}

/** Does nothing without the role. */
async function startWorker(parts: Parts, apiUrl: string): Promise<void> {
  const { options, stops, rows, temporal, localWorker, orders, failpoints } = parts;
  const { config } = options;
  if (localWorker === null) return;
  const reconcilers = {
    repairs: sqlRepairStore(rows.database),
    owners: temporalOwnerObserver(temporal.client),
    orders,
  };
  const activities: Activities = createActivities({
    transitions: sqlTransitions(rows.database, newRunId),
    changes: rows.changes,
    observer: temporalRunObserver(temporal.client, temporal.namespace),
    failpoints,
    apiUrl,
    closeGraceSeconds: config.closeGraceSeconds,
    repairSessions: async (cursor) => {
      const report = await reconcile(reconcilers, cursor);
      // In a healthy system there is nothing to find: whatever it finds, an operator wants to know.
      if (repairsOf(report) > 0) options.log.warn({ report }, 'the reconciler repaired sessions');
      return report;
    },
  });
  const worker = await startSessionWorker({
    connection: temporal.connection,
    namespace: temporal.namespace,
    activities,
    workflows: options.workflows ?? workflowSource(),
    onFailed: (cause) => {
      options.log.error({ error: cause }, 'the session worker failed');
      options.onFatal('the session worker failed');
    },
  });
  localWorker.started(worker.buildId);
  stops.push('session worker', () => worker.stop(), 12_000);
  if (config.reconcileSeconds === 0) return;
  const onProblem = (cause: unknown) => options.log.warn({ error: cause }, 'the reconciler could not be scheduled');
  const schedule = keepReconcileSchedule(temporal.client, config.reconcileSeconds * 1_000, onProblem);
  stops.push('reconciler', () => schedule.stop(), 6_000);
}
