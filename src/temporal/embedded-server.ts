/**
 * Temporal's development server, run and stopped with us, its store in `DATA_DIR`. The caller holds the
 * folder's instance lock: two servers on one store would destroy it.
 */
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { bindProblem, pickFreePort } from './free-port.ts';
import { searchAttributeTypes } from './search-attributes.ts';
import { openServerLog, type ServerLog } from './server-log.ts';
import { type ServerExit, type ServerProcess, startServerProcess, stopOrphan } from './server-process.ts';

export interface EmbeddedTemporalOptions {
  readonly cliPath: string;
  /** Absolute, and there. */
  readonly dataDir: string;
  /** An address to listen on; keep it on loopback, for the server has no authentication. */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** 0 picks a free one. */
  readonly uiPort: number;
  /** Made beside `default`, with our search attributes, if they are not there. */
  readonly namespaces: readonly string[];
  readonly onProgress: (line: string) => void;
  /** The server ended and nobody asked it to. */
  readonly onExit: (exit: UnexpectedExit) => void;
  readonly signal?: AbortSignal;
}

export interface UnexpectedExit extends ServerExit {
  /** The end of its log. */
  readonly lastLines: string;
}

export interface EmbeddedTemporal {
  /** `host:port` for clients. */
  readonly address: string;
  readonly uiUrl: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** A first start takes 0.3 s on an idle machine; a busy or slow one gets much longer. */
const startDeadlineMs = 60_000;
const callDeadlineMs = 2_000;
const pollIntervalMs = 25;
/** Another program may take a picked port before the server binds it. */
const pickedPortTriesMax = 3;

/**
 * The server polls each of its internal queues at most 20 times a second unless told otherwise, so one start
 * at a time would take 50 ms each; one partition saves a hop between matching's own.
 */
const dynamicConfig = [
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollRPS=2000',
  // Hosts of a cluster may disagree by a second about the time, so shorter timers take one; here is one clock. The
  // half second between two attempts: 1.0 s with the default, 0.55 s with this.
  'history.timerProcessorMaxTimeShift="100ms"',
  'history.visibilityProcessorMaxPollRPS=2000',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  // A development server reads its table of search attributes at every use, so that a new one can be used at once: it cost a
  // create 2 of 16 ms. Ours are made before the server starts, and the table then only names the columns there are.
  'system.forceSearchAttributesCacheRefreshOnRead=false',
  // A local server has no business asking the internet whether it is the newest.
  'frontend.enableServerVersionCheck=false',
];

/** @throws with a sentence for the user when a port is taken, or with the server's last lines when it gives up */
export async function startEmbeddedTemporal(options: EmbeddedTemporalOptions): Promise<EmbeddedTemporal> {
  await stopOrphan(recordPath(options.dataDir), options.onProgress);
  for (let tries = 1; ; tries += 1) {
    const ports = await choosePorts(options);
    try {
      return await startOn(options, ports);
    } catch (thrown) {
      const mayPickAgain = options.port === 0 || options.uiPort === 0;
      if (!mayPickAgain || tries === pickedPortTriesMax || !/address already in use/.test(String(thrown))) throw thrown;
    }
  }
}

const recordPath = (dataDir: string): string => join(dataDir, 'temporal.json');

interface Ports {
  readonly port: number;
  readonly uiPort: number;
}

async function choosePorts({ host, port, uiPort }: EmbeddedTemporalOptions): Promise<Ports> {
  await requireBindable(host, port, 'TEMPORAL_PORT');
  await requireBindable(host, uiPort, 'TEMPORAL_UI_PORT');
  return {
    port: port === 0 ? await pickFreePort(host) : port,
    uiPort: uiPort === 0 ? await pickFreePort(host) : uiPort,
  };
}

async function requireBindable(host: string, port: number, variable: string): Promise<void> {
  if (port === 0) return;
  const problem = await bindProblem(host, port);
  if (problem === null) return;
  const elsewhere =
    variable === 'TEMPORAL_PORT' ? '; to use a Temporal that runs there already, set TEMPORAL_ADDRESS' : '';
  const reason = problem === 'EADDRINUSE' ? 'is in use by another program' : `cannot be opened (${problem})`;
  throw new Error(`Port ${port} on ${host} ${reason}. Set ${variable} to a free port, or to 0 for any${elsewhere}.`);
}

async function startOn(options: EmbeddedTemporalOptions, ports: Ports): Promise<EmbeddedTemporal> {
  const log = await openServerLog(join(options.dataDir, 'temporal.log'));
  const server = await startServerProcess({
    path: resolve(options.cliPath),
    arguments: serverArguments(options, ports),
    folder: options.dataDir,
    logFd: log.fd,
    recordPath: recordPath(options.dataDir),
  });
  let wanted = true;
  const stop = async () => {
    wanted = false;
    await server.stop();
    await log.close();
  };
  const host = reachableHost(options.host);
  const address = authority(host, ports.port);
  try {
    await awaitServing(
      { host, port: ports.port, namespace: options.namespaces.at(-1) ?? 'default', server, log },
      options.signal,
    );
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  const watch = async () => {
    const exit = await server.exited;
    if (wanted) options.onExit({ ...exit, lastLines: await log.tail(20) });
  };
  void watch();
  return { address, uiUrl: `http://${authority(host, ports.uiPort)}`, pid: server.pid, stop };
}

function serverArguments(options: EmbeddedTemporalOptions, ports: Ports): string[] {
  const flags: readonly (readonly [flag: string, value: string])[] = [
    ['--ip', options.host],
    ['--port', String(ports.port)],
    ['--ui-port', String(ports.uiPort)],
    // In its working folder: of a path it makes a URI, which a `?`, `#` or `%` in the folder's name would spoil.
    ['--db-filename', 'temporal.db'],
    // As fast as a store in memory; a commit survives a killed process.
    ['--sqlite-pragma', 'journal_mode=wal'],
    ['--log-level', 'warn'],
    ['--log-format', 'text'],
    ...options.namespaces.map((namespace) => ['--namespace', namespace] as const),
    ...searchAttributeTypes.map(({ name, cliType }) => ['--search-attribute', `${name}=${cliType}`] as const),
    ...dynamicConfig.map((setting) => ['--dynamic-config-value', setting] as const),
  ];
  return ['server', 'start-dev', ...flags.flat()];
}

/** Where a client on this machine reaches a server that listens on `host`. */
const reachableHost = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host);

const authority = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

interface Start {
  readonly host: string;
  readonly port: number;
  /** The last one that the server makes. */
  readonly namespace: string;
  readonly server: ServerProcess;
  readonly log: ServerLog;
}

async function awaitServing(start: Start, signal: AbortSignal | undefined): Promise<void> {
  for (const endAt = Date.now() + startDeadlineMs; Date.now() < endAt; await sleep(pollIntervalMs)) {
    signal?.throwIfAborted();
    if (!start.server.isRunning())
      throw new Error(await giveUpMessage('Temporal ended while it was starting', start.log));
    if (await serves(start)) return;
  }
  throw new Error(await giveUpMessage(`Temporal did not serve within ${startDeadlineMs / 1000} s`, start.log));
}

const giveUpMessage = async (what: string, log: ServerLog): Promise<string> =>
  `${what}. The end of its log:\n${await log.tail(20)}`;

async function serves({ host, port, namespace }: Start): Promise<boolean> {
  // gRPC would try a port that is not open yet again only after a second.
  if (!(await accepts(host, port))) return false;
  try {
    const connection = await Connection.connect({ address: authority(host, port), connectTimeout: callDeadlineMs });
    try {
      await connection.withDeadline(Date.now() + callDeadlineMs, () =>
        connection.workflowService.describeNamespace({ namespace }),
      );
    } finally {
      await connection.close();
    }
    return true;
  } catch {
    return false;
  }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect({ host, port, timeout: callDeadlineMs });
    const answer = (accepted: boolean) => {
      socket.destroy();
      settle(accepted);
    };
    socket.once('connect', () => answer(true));
    socket.once('timeout', () => answer(false));
    socket.once('error', () => answer(false));
  });
}
