/** Temporal: somebody else's by address, or our own, started and stopped with us. */

import type { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import type { ServerOptions } from './server-options.ts';
import type { StopStack } from './stop-stack.ts';
import { connectTemporal } from './temporal/connect.ts';
import { startEmbeddedTemporal } from './temporal/embedded-server.ts';
import { findTemporalBinary } from './temporal/find-binary.ts';
import { ensureSearchAttributes } from './temporal/search-attributes.ts';

export interface TemporalParts {
  readonly connection: NativeConnection;
  readonly client: Client;
  readonly namespace: string;
  readonly address: string;
  /** Null when the server is not ours. */
  readonly uiUrl: string | null;
}

export async function openTemporal(options: ServerOptions, stops: StopStack): Promise<TemporalParts> {
  const { temporal } = options.config;
  const server =
    temporal.address === null ? await startOwn(options, stops) : { address: temporal.address, uiUrl: null };
  const { connection, client } = await connectTemporal(
    { ...temporal, address: server.address },
    { log: ({ level, message, meta }) => options.log[level]({ temporal: meta }, message) },
  );
  stops.push('temporal connection', () => connection.close(), 5_000);
  await ensureSearchAttributes(connection, temporal.namespace);
  return { connection, client, namespace: temporal.namespace, address: server.address, uiUrl: server.uiUrl };
}

async function startOwn(
  { config, log, onProgress, onFatal }: ServerOptions,
  stops: StopStack,
): Promise<{ address: string; uiUrl: string }> {
  const { dataDir, temporal } = config;
  const binary = await findTemporalBinary({ cliPath: temporal.cliPath, dataDir, environment: process.env, onProgress });
  log.info({ binary }, 'temporal binary chosen');
  onProgress('Starting Temporal');
  const server = await startEmbeddedTemporal({
    cliPath: binary.path,
    dataDir,
    host: '127.0.0.1',
    port: temporal.embeddedPort,
    uiPort: temporal.embeddedUiPort,
    namespaces: temporal.namespace === 'default' ? [] : [temporal.namespace],
    onProgress,
    onExit: (exit) => {
      log.error({ exit }, 'the embedded Temporal server ended by itself');
      onFatal('the embedded Temporal server ended by itself');
    },
  });
  stops.push('temporal server', () => server.stop(), 20_000);
  return server;
}
