/** Temporal for tests: one server per run, a namespace for each test file or test that asks, or a server of one's own. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import { connectTemporal, type TemporalConnection } from '../../src/temporal/connect.ts';
import { type PrivateTemporal, startPrivateTemporalWith } from './private-temporal.ts';

/** What the global set-up hands to every test file. */
export interface SharedTemporal {
  readonly address: string;
  readonly uiUrl: string;
  readonly cliPath: string;
  readonly namespaces: readonly string[];
  /** A folder in which a taken namespace has an entry. */
  readonly claims: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    temporal: SharedTemporal;
  }
}

export interface TestTemporal extends TemporalConnection {
  readonly address: string;
  readonly namespace: string;
  close(): Promise<void>;
}

export const temporalAddress = (): string => inject('temporal').address;
export const temporalCliPath = (): string => inject('temporal').cliPath;

/** A namespace with our search attributes that nobody else in this run has or will have. */
export async function claimNamespace(): Promise<string> {
  const { namespaces, claims } = inject('temporal');
  for (const namespace of namespaces) {
    try {
      await mkdir(join(claims, namespace));
      return namespace;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    }
  }
  throw new Error(
    `All ${namespaces.length} namespaces are taken: raise namespacesCount in test/harness/global-setup.ts.`,
  );
}

/** A connection to the shared server, in a namespace of its own. */
export async function openTemporal(): Promise<TestTemporal> {
  return connectTo(temporalAddress(), await claimNamespace());
}

/** @param address of the shared server or a private one */
export async function connectTo(address: string, namespace = 'default'): Promise<TestTemporal> {
  const target = { address, namespace, apiKey: null, tls: false, tlsCertFile: null, tlsKeyFile: null };
  const { connection, client } = await connectTemporal(target, { log: () => undefined });
  return { address, namespace, connection, client, close: () => connection.close() };
}

/** For tests that kill, pause or wipe Temporal. Starts in about 0.3 s; `stop` it. */
export const startPrivateTemporal = (): Promise<PrivateTemporal> =>
  startPrivateTemporalWith({ cliPath: temporalCliPath() });
