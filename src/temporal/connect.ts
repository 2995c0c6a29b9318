/** The one connection of a process to Temporal: its workers poll over it, and its client starts eagerly over it. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { IllegalStateError } from '@temporalio/common';
import { DefaultLogger, type LogEntry, NativeConnection, Runtime } from '@temporalio/worker';
import { inTime } from '../deadline.ts';
import { Unavailable } from '../domain/failure.ts';

export interface ConnectTarget {
  /** `host:port`. */
  readonly address: string;
  readonly namespace: string;
  readonly apiKey: string | null;
  readonly tls: boolean;
  readonly tlsCertFile: string | null;
  readonly tlsKeyFile: string | null;
}

export type TemporalLog = (line: {
  readonly level: 'warn' | 'error';
  readonly message: string;
  readonly meta: Readonly<Record<string, unknown>>;
}) => void;

export interface ConnectOptions {
  readonly log: TemporalLog;
  /** A server that is not there by then is reported as away. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

export interface TemporalConnection {
  readonly connection: NativeConnection;
  /** Over the same connection: the server hands an eager start only to a worker of it (pitfalls 1.21). */
  readonly client: Client;
}

const connectDeadlineDefaultMs = 30_000;
/** One try; a server that accepts and then says nothing must not eat the whole deadline. */
const tryDeadlineMs = 5_000;
const retryFirstMs = 100;
const retryMaxMs = 2_000;
/** Readiness must answer before its own caller gives up. */
const pingDeadlineMs = 2_000;

/** @throws with a sentence for the user; its cause is the last refusal */
export async function connectTemporal(target: ConnectTarget, options: ConnectOptions): Promise<TemporalConnection> {
  installRuntime(options.log);
  const settings = await connectionSettings(target);
  const endAt = Date.now() + (options.deadlineMs ?? connectDeadlineDefaultMs);
  for (let delayMs = retryFirstMs; ; delayMs = Math.min(delayMs * 2, retryMaxMs)) {
    options.signal?.throwIfAborted();
    try {
      const connection = await openWithin(settings, Math.max(1, Math.min(tryDeadlineMs, endAt - Date.now())));
      return { connection, client: new Client({ connection, namespace: target.namespace }) };
    } catch (thrown) {
      if (Date.now() + delayMs >= endAt) {
        throw new Error(`Temporal at ${target.address} cannot be reached: ${reasonOf(thrown)}`, { cause: thrown });
      }
    }
    await sleep(delayMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

/** Of a refusal by the SDK's core, a debug print of nested structures, only the system's own words. */
function reasonOf(thrown: unknown): string {
  const { message } = thrown instanceof Unavailable && thrown.cause instanceof Error ? thrown.cause : (thrown as Error);
  return /(?:message|error): "([^"]+)"/.exec(message)?.[1] ?? message;
}

type Settings = NonNullable<Parameters<typeof NativeConnection.connect>[0]>;

async function connectionSettings(target: ConnectTarget): Promise<Settings> {
  const { address, apiKey, tlsCertFile, tlsKeyFile } = target;
  const clientCertPair =
    tlsCertFile === null || tlsKeyFile === null
      ? null
      : {
          crt: await readSecret(tlsCertFile, 'TEMPORAL_TLS_CERT_FILE'),
          key: await readSecret(tlsKeyFile, 'TEMPORAL_TLS_KEY_FILE'),
        };
  return {
    address,
    // A key must not travel in clear, and a client certificate means nothing without TLS.
    tls: clientCertPair === null ? target.tls || apiKey !== null : { clientCertPair },
    ...(apiKey === null ? {} : { apiKey }),
    // On loopback packing and unpacking costs more than it saves: 0.5 against 0.3 ms for the smallest call.
    grpcCompression: { codec: isLoopback(address) ? 'none' : 'gzip' },
  };
}

const isLoopback = (address: string): boolean => /^(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/.test(address);

async function readSecret(path: string, variable: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (thrown) {
    throw new Error(`${variable}: ${path} cannot be read.`, { cause: thrown });
  }
}

/** A connect has no deadline of its own: one that comes too late is closed again. */
async function openWithin(settings: Settings, deadlineMs: number): Promise<NativeConnection> {
  const opening = NativeConnection.connect(settings);
  try {
    return await within(opening, deadlineMs);
  } catch (thrown) {
    opening.then((late) => late.close()).catch(() => undefined);
    throw thrown;
  }
}

/**
 * One call that answers within the deadline or throws. gRPC's own deadline is not enough: while a server is
 * away the SDK goes on trying for about 10 s.
 * @throws Unavailable at the deadline; whatever the call throws before it
 */
export async function callTemporal<Value>(
  connection: Pick<NativeConnection, 'withDeadline'>,
  deadlineMs: number,
  call: () => Promise<Value>,
): Promise<Value> {
  return within(connection.withDeadline(Date.now() + deadlineMs, call), deadlineMs);
}

/** Whether Temporal answers at all. @throws Unavailable when it does not within two seconds */
export async function pingTemporal(connection: NativeConnection): Promise<void> {
  try {
    await callTemporal(connection, pingDeadlineMs, () => connection.workflowService.getSystemInfo({}));
  } catch (thrown) {
    throw thrown instanceof Unavailable ? thrown : new Unavailable('temporal', thrown);
  }
}

const within = <Value>(work: Promise<Value>, deadlineMs: number): Promise<Value> =>
  inTime(work, deadlineMs, () => new Unavailable('temporal', new Error(`no answer within ${deadlineMs} ms`)));

/** The SDK has one runtime per process; the first connection of a process decides where its log goes. */
function installRuntime(log: TemporalLog): void {
  try {
    Runtime.install({
      logger: new DefaultLogger('WARN', (entry) => log(logLine(entry))),
      telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
      // Left to itself the SDK would stop workers on a signal, before HTTP has drained.
      shutdownSignals: [],
    });
  } catch (thrown) {
    if (!(thrown instanceof IllegalStateError)) throw thrown;
  }
}

function logLine({ level, message, meta }: LogEntry): Parameters<TemporalLog>[0] {
  return { level: level === 'ERROR' ? 'error' : 'warn', message, meta: { ...meta } };
}
