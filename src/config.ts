/** Environment variables -> one frozen Config; reports every bad value at once and refuses to start. */
import { resolve } from 'node:path';
import { z } from 'zod';
import {
  closeGraceDefaultSeconds,
  encryptionKeysMax,
  rateMax,
  rateWindowMaxSeconds,
  readersDefault,
  readersPerKeyDefault,
  readersPerStreamDefault,
  reconcileIntervalDefaultSeconds,
  trustedProxiesMax,
} from './domain/limits.ts';

const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);
const readers = (fallback: number) => z.coerce.number().int().min(1).max(1_000_000).default(fallback);
const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true');
const secretKey = z
  .string()
  .regex(
    /^tr_(dev|stg|prod|preview)_[A-Za-z0-9_-]{16,128}$/,
    'expected tr_<dev|stg|prod|preview>_ and 16 to 128 letters or digits',
  )
  .refine((text) => !/^tr_[a-z]+_sk_/.test(text), {
    message: 'expected root keys; an additional one (tr_..._sk_...) is made by `perdure keys create`',
  });
const commaList = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
const encryptionKey = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, 'expected 64 hexadecimal digits: openssl rand -hex 32')
  .toLowerCase();
/** Newest first. */
const encryptionKeys = commaList.pipe(
  z.tuple([encryptionKey], encryptionKey).refine((keys) => keys.length <= encryptionKeysMax, {
    message: `expected at most ${encryptionKeysMax} keys, newest first`,
  }),
);

const environmentSchema = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: port(3040),
  HEALTH_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  S2_URL: z.url({ protocol: /^https?$/ }).optional(),
  DATA_DIR: z.string().min(1).default('.perdure'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(2).max(500).default(16),
  TEMPORAL_ADDRESS: z.string().min(1).optional(),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_API_KEY: z.string().min(1).optional(),
  TEMPORAL_TLS: flag,
  TEMPORAL_TLS_CERT_FILE: z.string().min(1).optional(),
  TEMPORAL_TLS_KEY_FILE: z.string().min(1).optional(),
  TEMPORAL_CLI_PATH: z.string().min(1).optional(),
  TEMPORAL_PORT: port(7233),
  TEMPORAL_UI_PORT: port(8233),
  SECRET_KEYS: commaList.pipe(z.array(secretKey)).optional(),
  ENCRYPTION_KEY: encryptionKeys.optional(),
  CLOSE_GRACE_SECONDS: z.coerce.number().int().min(0).max(86_400).default(closeGraceDefaultSeconds),
  RECONCILE_SECONDS: z.coerce.number().int().min(0).max(3_600).default(reconcileIntervalDefaultSeconds),
  S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  S3_BUCKET: z
    .string()
    .regex(/^[A-Za-z0-9._-]{3,255}$/, 'expected the name of a bucket')
    .optional(),
  S3_REGION: z.string().min(1).default('us-east-1'),
  S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  S3_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._/-]{0,256}$/, 'expected letters, digits, dots, dashes and slashes')
    .default(''),
  RATE_LIMIT_REQUESTS: z.coerce.number().int().min(1).max(rateMax).optional(),
  RATE_LIMIT_WINDOW_SECONDS: z.coerce.number().int().min(1).max(rateWindowMaxSeconds).default(60),
  RATE_LIMIT_STORE: z.enum(['memory', 'database']).default('memory'),
  BAD_CREDENTIALS_MAX: z.coerce.number().int().min(1).max(rateMax).optional(),
  BAD_CREDENTIALS_WINDOW_SECONDS: z.coerce.number().int().min(1).max(rateWindowMaxSeconds).default(300),
  TRUSTED_PROXIES: z.coerce.number().int().min(0).max(trustedProxiesMax).default(0),
  READERS_MAX: readers(readersDefault),
  READERS_PER_STREAM_MAX: readers(readersPerStreamDefault),
  READERS_PER_KEY_MAX: readers(readersPerKeyDefault),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  LOG_FORMAT: z.enum(['json', 'pretty']).optional(),
  FAILPOINTS: z.string().optional(),
});

export interface TemporalTarget {
  /** Null: start the embedded server. */
  readonly address: string | null;
  readonly namespace: string;
  readonly apiKey: string | null;
  readonly tls: boolean;
  readonly tlsCertFile: string | null;
  readonly tlsKeyFile: string | null;
  readonly cliPath: string | null;
  readonly embeddedPort: number;
  readonly embeddedUiPort: number;
}

/** A bucket of any store that speaks S3. */
export interface ObjectStoreTarget {
  /** Without a trailing slash. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Before the name of each object; empty, or with a trailing slash. */
  readonly prefix: string;
}

/** So many in each window of so many seconds. */
export interface Rate {
  readonly max: number;
  readonly windowSeconds: number;
}

export interface RateConfig {
  /** Requests per credential; null: not limited. */
  readonly callers: Rate | null;
  /** Unknown credentials per address; null: not limited. */
  readonly badCredentials: Rate | null;
  /** Whether all processes count together. */
  readonly isShared: boolean;
  readonly trustedProxies: number;
}

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Where a process without the API answers `/healthz` and `/readyz`; null: nowhere. */
  readonly healthPort: number | null;
  /** Without a trailing slash; null: derived from host and port. */
  readonly publicUrl: string | null;
  /** Where writers reach the S2 data plane, without a trailing slash; null: at the public URL, or where they came in. */
  readonly s2Url: string | null;
  /** Absolute. */
  readonly dataDir: string;
  /** Null: PGlite in `dataDir`. */
  readonly databaseUrl: string | null;
  readonly databasePoolSize: number;
  readonly temporal: TemporalTarget;
  /** Null: the embedded mode makes one dev key. */
  readonly secretKeys: readonly string[] | null;
  /** 64 hexadecimal digits each, newest first; null: the embedded mode keeps one in `dataDir`. */
  readonly encryptionKeys: readonly [string, ...string[]] | null;
  readonly closeGraceSeconds: number;
  readonly rates: RateConfig;
  /** Null: snapshots are kept in the database. */
  readonly objectStore: ObjectStoreTarget | null;
  /** Between two rounds of the reconciler; 0 switches it off. */
  readonly reconcileSeconds: number;
  /** Streams that are followed at once in one process. */
  readonly readers: { readonly total: number; readonly perStream: number; readonly perKey: number };
  readonly logLevel: string;
  readonly logFormat: 'json' | 'pretty' | null;
  readonly failpoints: string | null;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] };

/** @param environment `process.env`, or a test's own; an empty value counts as absent */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): ConfigResult {
  const present = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environmentSchema.safeParse(present);
  if (!parsed.success) {
    return { ok: false, problems: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) };
  }
  const problems = contradictions(parsed.data);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config: Object.freeze(toConfig(parsed.data)) };
}

type Parsed = z.infer<typeof environmentSchema>;

function contradictions(env: Parsed): string[] {
  const problems: string[] = [];
  if (env.DATABASE_URL !== undefined && env.ENCRYPTION_KEY === undefined) {
    problems.push('ENCRYPTION_KEY: required with DATABASE_URL, because keys are stored sealed: openssl rand -hex 32');
  }
  if ((env.TEMPORAL_TLS_CERT_FILE === undefined) !== (env.TEMPORAL_TLS_KEY_FILE === undefined)) {
    problems.push('TEMPORAL_TLS_CERT_FILE, TEMPORAL_TLS_KEY_FILE: give both or neither');
  }
  const objectStore = [env.S3_ENDPOINT, env.S3_BUCKET, env.S3_ACCESS_KEY_ID, env.S3_SECRET_ACCESS_KEY];
  if (objectStore.some((value) => value !== undefined) && objectStore.includes(undefined)) {
    problems.push('S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY: give all or none');
  }
  return problems;
}

function toUrls(env: Parsed): Pick<Config, 'publicUrl' | 's2Url'> {
  const publicUrl = env.PUBLIC_URL?.replace(/\/+$/, '') ?? null;
  return { publicUrl, s2Url: env.S2_URL?.replace(/\/+$/, '') ?? publicUrl };
}

function toConfig(env: Parsed): Config {
  return {
    host: env.HOST,
    port: env.PORT,
    healthPort: env.HEALTH_PORT ?? null,
    ...toUrls(env),
    dataDir: resolve(env.DATA_DIR),
    databaseUrl: env.DATABASE_URL ?? null,
    databasePoolSize: env.DATABASE_POOL_SIZE,
    temporal: toTemporalTarget(env),
    secretKeys: env.SECRET_KEYS ?? null,
    encryptionKeys: env.ENCRYPTION_KEY ?? null,
    closeGraceSeconds: env.CLOSE_GRACE_SECONDS,
    objectStore: toObjectStore(env),
    rates: toRates(env),
    reconcileSeconds: env.RECONCILE_SECONDS,
    readers: {
      total: env.READERS_MAX,
      perStream: env.READERS_PER_STREAM_MAX,
      perKey: env.READERS_PER_KEY_MAX,
    },
    logLevel: env.LOG_LEVEL,
    logFormat: env.LOG_FORMAT ?? null,
    failpoints: env.FAILPOINTS ?? null,
  };
}

function toRates(env: Parsed): RateConfig {
  const rate = (max: number | undefined, windowSeconds: number): Rate | null =>
    max === undefined ? null : { max, windowSeconds };
  return {
    callers: rate(env.RATE_LIMIT_REQUESTS, env.RATE_LIMIT_WINDOW_SECONDS),
    badCredentials: rate(env.BAD_CREDENTIALS_MAX, env.BAD_CREDENTIALS_WINDOW_SECONDS),
    isShared: env.RATE_LIMIT_STORE === 'database',
    trustedProxies: env.TRUSTED_PROXIES,
  };
}

function toObjectStore(env: Parsed): ObjectStoreTarget | null {
  const { S3_ENDPOINT: endpoint, S3_BUCKET: bucket, S3_ACCESS_KEY_ID: accessKeyId } = env;
  const { S3_SECRET_ACCESS_KEY: secretAccessKey, S3_REGION: region, S3_PREFIX: prefix } = env;
  if (endpoint === undefined || bucket === undefined) return null;
  if (accessKeyId === undefined || secretAccessKey === undefined) return null;
  const trimmed = prefix.replace(/^\/+|\/+$/g, '');
  return {
    endpoint: endpoint.replace(/\/+$/, ''),
    bucket,
    region,
    accessKeyId,
    secretAccessKey,
    prefix: trimmed === '' ? '' : `${trimmed}/`,
  };
}

function toTemporalTarget(env: Parsed): TemporalTarget {
  return {
    address: env.TEMPORAL_ADDRESS ?? null,
    namespace: env.TEMPORAL_NAMESPACE,
    apiKey: env.TEMPORAL_API_KEY ?? null,
    tls: env.TEMPORAL_TLS,
    tlsCertFile: env.TEMPORAL_TLS_CERT_FILE ?? null,
    tlsKeyFile: env.TEMPORAL_TLS_KEY_FILE ?? null,
    cliPath: env.TEMPORAL_CLI_PATH ?? null,
    embeddedPort: env.TEMPORAL_PORT,
    embeddedUiPort: env.TEMPORAL_UI_PORT,
  };
}
