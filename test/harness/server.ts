/** A whole server in the test's own process: real HTTP, real Temporal, real PostgreSQL, nothing shared with other files. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { inject } from 'vitest';
import { type Config, readConfig } from '../../src/config.ts';
import { startServer } from '../../src/main.ts';
import { createLog } from '../../src/observe/log.ts';
import { type Api, apiOf } from './api.ts';
import { createDatabase } from './postgres.ts';
import { claimNamespace, temporalAddress } from './temporal.ts';

/** What servers and task workers of one test share: each file or test has its own. */
export interface Site {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly namespace: string;
  readonly devKey: string;
  readonly prodKey: string;
  readonly encryptionKey: string;
  remove(): Promise<void>;
}

export interface SiteOptions {
  /** Default: a fresh clone of the shared server's template. */
  readonly databaseUrl?: string;
  /** Default: the shared server, in a namespace of its own. */
  readonly temporalAddress?: string;
}

export async function openSite(options: SiteOptions = {}): Promise<Site> {
  const adminUrl = inject('postgresAdminUrl');
  const database = options.databaseUrl === undefined && adminUrl !== null ? await createDatabase(adminUrl) : null;
  const databaseUrl = options.databaseUrl ?? database?.url;
  if (databaseUrl === undefined) throw new Error('this test needs PostgreSQL 15 or later on the machine');
  return {
    databaseUrl,
    temporalAddress: options.temporalAddress ?? temporalAddress(),
    namespace: options.temporalAddress === undefined ? await claimNamespace() : 'default',
    devKey: `tr_dev_${randomBytes(12).toString('hex')}`,
    prodKey: `tr_prod_${randomBytes(12).toString('hex')}`,
    encryptionKey: randomBytes(32).toString('hex'),
    remove: async () => database?.drop(),
  };
}

/** The environment variables of a server on this site; a process of its own gets the same. */
export function siteEnvironment(site: Site): Record<string, string> {
  return {
    PORT: '0',
    DATABASE_URL: site.databaseUrl,
    TEMPORAL_ADDRESS: site.temporalAddress,
    TEMPORAL_NAMESPACE: site.namespace,
    SECRET_KEYS: `${site.devKey},${site.prodKey}`,
    ENCRYPTION_KEY: site.encryptionKey,
    LOG_FORMAT: 'json',
    // What holds must hold without it; its own tests switch it on.
    RECONCILE_SECONDS: '0',
  };
}

export interface TestServer {
  readonly url: string;
  readonly api: Api;
  readonly config: Config;
  stop(): Promise<void>;
}

export interface TestServerOptions {
  readonly site: Site;
  /** Default: true. */
  readonly sessionWorker?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly onFatal?: (reason: string) => void;
}

export async function startTestServer(options: TestServerOptions): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'perdure-server-'));
  const config = configOf({ DATA_DIR: dataDir, ...siteEnvironment(options.site), ...options.environment });
  const server = await startServer({
    config,
    roles: { api: true, sessionWorker: options.sessionWorker ?? true },
    log: createLog({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent', format: 'json' }),
    workflows: { workflowBundle: await bundledWorkflows() },
    onProgress: () => undefined,
    onFatal: options.onFatal ?? ((reason) => process.stderr.write(`test server: ${reason}\n`)),
  });
  const url = server.apiUrl;
  if (url === null) throw new Error('the test server has no API');
  return {
    url,
    config,
    api: apiOf(url, options.site.devKey),
    async stop() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function configOf(environment: Record<string, string>): Config {
  const read = readConfig(environment);
  if (read.ok) return read.config;
  throw new Error(read.problems.join('; '));
}

const workflowEntry = new URL('../../workflows/index.ts', import.meta.url).pathname;
let bundle: ReturnType<typeof bundleWorkflowCode> | null = null;

/** Once per test process: it takes about a second. */
function bundledWorkflows(): ReturnType<typeof bundleWorkflowCode> {
  bundle ??= bundleWorkflowCode({
    workflowsPath: workflowEntry,
    payloadConverterPath: new URL('../../workflows/payload-converter.ts', import.meta.url).pathname,
    // As the build does.
    preloadModules: [workflowEntry],
    logger: silentLogger,
  });
  return bundle;
}

const silent = () => undefined;
const silentLogger = { log: silent, trace: silent, debug: silent, info: silent, warn: silent, error: silent };
