/** Options of a task worker and what the environment adds to them, checked as a whole. */
import { z } from 'zod';
import { type EnvironmentName, environmentNames } from '../domain/ids.ts';
import {
  concurrentRunsDefault,
  concurrentRunsMax,
  lockToVersionLengthMax,
  queueLengthMax,
  regionLengthMax,
  servedQueuesMax,
  taskShutdownGraceDefaultMs,
  taskShutdownGraceMaxMs,
} from '../domain/limits.ts';
import { type Machine, machines } from '../domain/trigger-config.ts';
import type { Task } from './define-task.ts';
import { servedQueues } from './served-queues.ts';

export interface TemporalOptions {
  /** Host and port. Default: `TEMPORAL_ADDRESS`, else `127.0.0.1:7233`. */
  readonly address?: string | undefined;
  /** Default: `TEMPORAL_NAMESPACE`, else `default`. */
  readonly namespace?: string | undefined;
  /** Default: `TEMPORAL_API_KEY`. */
  readonly apiKey?: string | undefined;
  /** Default: on with an API key, else off. PEM texts, when given, are the client's certificate and key. */
  readonly tls?: boolean | { readonly cert: string; readonly key: string } | undefined;
}

export interface TaskWorkerOptions {
  readonly tasks: readonly Task[];
  /** Default: what the secret key's prefix names; given, it must agree with it. */
  readonly environment?: EnvironmentName | undefined;
  /** Default: `TRIGGER_API_URL`, else the URL that each run carries. */
  readonly apiUrl?: string | undefined;
  /** Default: `TRIGGER_SECRET_KEY`. */
  readonly secretKey?: string | undefined;
  readonly temporal?: TemporalOptions | undefined;
  /** Serve sessions whose `triggerConfig.queue` names this queue, instead of the tasks' own queues. */
  readonly queue?: string | undefined;
  /** Serve runs locked to this version, and no others. */
  readonly version?: string | undefined;
  /** Also serve runs that ask for this machine, ahead of workers that serve all. */
  readonly machine?: Machine | undefined;
  /** Also serve runs that ask for this region, ahead of workers that serve all. */
  readonly region?: string | undefined;
  /** Attempts executed at once per task queue, 1 to 10,000. Default 100. */
  readonly maxConcurrentRuns?: number | undefined;
  /** On shutdown, how long attempts go on before their signal fires. Default 10,000. */
  readonly shutdownGraceMs?: number | undefined;
}

/** Complete and checked. */
export interface WorkerSettings {
  readonly environment: EnvironmentName;
  /** Without a trailing slash; null: each run's own. */
  readonly apiUrl: string | null;
  readonly secretKey: string;
  readonly address: string;
  readonly namespace: string;
  readonly apiKey: string | null;
  readonly tls: boolean | { readonly cert: string; readonly key: string };
  readonly tasks: ReadonlyMap<string, Task>;
  /** Queue name -> ids of the tasks served there. */
  readonly queues: ReadonlyMap<string, readonly string[]>;
  readonly maxConcurrentRuns: number;
  readonly shutdownGraceMs: number;
}

/** Everything that is wrong with a worker's options or tasks, one line each. */
export class InvalidWorkerOptions extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the task worker cannot start:\n${problems.map((problem) => `- ${problem}`).join('\n')}`);
    this.name = 'InvalidWorkerOptions';
    this.problems = problems;
  }
}

const environmentOfKey = (key: string): string | undefined => /^tr_([a-z]+)_[A-Za-z0-9_-]+$/.exec(key)?.[1];

const name = (lengthMax: number) => z.string().min(1).max(lengthMax).optional();

const optionsSchema = z.object({
  environment: z.enum(environmentNames).optional(),
  TRIGGER_SECRET_KEY: z
    .string({ error: 'required: the secret key of the environment whose runs this worker serves' })
    .refine((key) => environmentNames.some((known) => known === environmentOfKey(key)), {
      error: 'expected a secret key, tr_<dev|stg|prod|preview>_...',
    }),
  TRIGGER_API_URL: z.url({ protocol: /^https?$/ }).optional(),
  TEMPORAL_ADDRESS: z.string().min(1).default('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_API_KEY: z.string().min(1).optional(),
  queue: name(queueLengthMax),
  version: name(lockToVersionLengthMax),
  machine: z.enum(machines).optional(),
  region: name(regionLengthMax),
  maxConcurrentRuns: z.number().int().min(1).max(concurrentRunsMax).default(concurrentRunsDefault),
  shutdownGraceMs: z.number().int().min(0).max(taskShutdownGraceMaxMs).default(taskShutdownGraceDefaultMs),
});

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * @param variables `process.env`, or a test's own; an empty value counts as absent
 * @throws InvalidWorkerOptions with every problem at once
 */
export function readWorkerSettings(options: TaskWorkerOptions, variables: Variables): WorkerSettings {
  const { tasks, problems } = collectTasks(options.tasks);
  const parsed = optionsSchema.safeParse(withVariables(options, variables));
  if (!parsed.success) {
    const more = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new InvalidWorkerOptions([...problems, ...more]);
  }
  const settings = toSettings(parsed.data, options, tasks);
  problems.push(...contradictions(parsed.data, settings));
  if (problems.length > 0) throw new InvalidWorkerOptions(problems);
  return settings;
}

/** An option wins over the variable of its name. */
function withVariables(options: TaskWorkerOptions, variables: Variables): Record<string, unknown> {
  const { secretKey, apiUrl, temporal = {} } = options;
  const pick = (option: string | undefined, variable: string): string | undefined =>
    option ?? (variables[variable] === '' ? undefined : variables[variable]);
  return {
    ...options,
    TRIGGER_SECRET_KEY: pick(secretKey, 'TRIGGER_SECRET_KEY'),
    TRIGGER_API_URL: pick(apiUrl, 'TRIGGER_API_URL'),
    TEMPORAL_ADDRESS: pick(temporal.address, 'TEMPORAL_ADDRESS'),
    TEMPORAL_NAMESPACE: pick(temporal.namespace, 'TEMPORAL_NAMESPACE'),
    TEMPORAL_API_KEY: pick(temporal.apiKey, 'TEMPORAL_API_KEY'),
  };
}

type Parsed = z.infer<typeof optionsSchema>;

function toSettings(parsed: Parsed, options: TaskWorkerOptions, tasks: ReadonlyMap<string, Task>): WorkerSettings {
  const environment = environmentOfKey(parsed.TRIGGER_SECRET_KEY) as EnvironmentName;
  const { queue, version, machine, region } = parsed;
  const placement = {
    environment,
    ...(queue === undefined ? {} : { queue }),
    ...(version === undefined ? {} : { version }),
    ...(machine === undefined ? {} : { machine }),
    ...(region === undefined ? {} : { region }),
  };
  return {
    environment,
    apiUrl: parsed.TRIGGER_API_URL?.replace(/\/+$/, '') ?? null,
    secretKey: parsed.TRIGGER_SECRET_KEY,
    address: parsed.TEMPORAL_ADDRESS,
    namespace: parsed.TEMPORAL_NAMESPACE,
    apiKey: parsed.TEMPORAL_API_KEY ?? null,
    tls: options.temporal?.tls ?? parsed.TEMPORAL_API_KEY !== undefined,
    tasks,
    queues: servedQueues([...tasks.keys()], placement),
    maxConcurrentRuns: parsed.maxConcurrentRuns,
    shutdownGraceMs: parsed.shutdownGraceMs,
  };
}

function contradictions(parsed: Parsed, settings: WorkerSettings): string[] {
  const problems: string[] = [];
  if (parsed.environment !== undefined && parsed.environment !== settings.environment) {
    problems.push(`environment: ${parsed.environment}, but the secret key is one of ${settings.environment}`);
  }
  if (settings.queues.size > servedQueuesMax) {
    problems.push(`tasks: ${settings.queues.size} task queues to serve; one worker takes ${servedQueuesMax}`);
  }
  return problems;
}

function collectTasks(tasks: readonly Task[]): { tasks: ReadonlyMap<string, Task>; problems: string[] } {
  const byId = new Map<string, Task>();
  const problems: string[] = tasks.length === 0 ? ['tasks: there is no task to serve'] : [];
  for (const task of new Set(tasks)) {
    if (byId.has(task.id)) problems.push(`tasks: two tasks have the id ${task.id}`);
    else byId.set(task.id, task);
  }
  return { tasks: byId, problems };
}
