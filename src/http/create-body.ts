/** The body of a create, parsed once: every limit of every field (seed page; protocol section 3.2). */
import { z } from 'zod';
import type { CreateRequest } from '../domain/create-session.ts';
import { fail, type Result, succeed } from '../domain/failure.ts';
import {
  concurrencyKeyLengthMax,
  concurrencyNamesMax,
  deploymentIdLengthMax,
  idleTimeoutInSecondsMax,
  lockToVersionLengthMax,
  maxAttemptsMax,
  maxDurationInSecondsMax,
  queueLengthMax,
  regionLengthMax,
  runTagsMax,
  sessionTagsMax,
  taskIdentifierLengthMax,
  taskQueueBytesMax,
  typeLengthMax,
} from '../domain/limits.ts';
import { taskQueueCandidates } from '../domain/task-queue.ts';
import { type JsonValue, machines, parseDurationSeconds, type TriggerConfig } from '../domain/trigger-config.ts';
import { fieldProblems, problemText } from './problems.ts';
import { externalId, jsonObject, name, tagList, text, withoutUndefined } from './session-fields.ts';

/** The seed sets no least length: empty says what absence says. */
const optionalText = (lengthMax: number) => text(lengthMax).transform(absentIfEmpty).optional();

const absentIfEmpty = (value: string): string | undefined => (value === '' ? undefined : value);

const count = (max: number) => z.int().min(1).max(max).optional();

/** Ends of what both `timestamptz` and ISO 8601 with four digits of year can say. */
const dateMin = new Date('1970-01-01T00:00:00.000Z');
const dateMax = new Date('9999-12-31T23:59:59.999Z');

/** A date-time with its offset, or milliseconds since 1970. */
const moment = z
  .union(
    [z.iso.datetime({ offset: true }), z.number()],
    'Invalid input: expected an ISO 8601 date-time with its offset',
  )
  .transform((value) => new Date(value))
  .pipe(z.date().min(dateMin).max(dateMax));

const concurrencyName = z
  .string()
  .regex(
    /^[a-zA-Z0-9_-]{1,122}$/,
    'Concurrency limit names are 1-122 characters using only letters, numbers, underscores and hyphens',
  );

const concurrencyKey = z
  .union([z.string(), z.number()], 'Invalid input: expected a string or a number')
  .transform((value) => String(value))
  .pipe(text(concurrencyKeyLengthMax))
  .transform(absentIfEmpty);

/** Null and blank are how callers opt out. */
const externalDeploymentId = z.preprocess(
  (value) => (value === null ? '' : typeof value === 'string' ? value.trim() : value),
  optionalText(deploymentIdLengthMax),
);

const ttl = z
  .union([z.string(), z.int().min(0)], 'Invalid input: expected whole seconds or a duration such as 1h30m')
  .refine((value) => {
    const seconds = parseDurationSeconds(value);
    return seconds !== null && seconds <= maxDurationInSecondsMax;
  }, 'Invalid duration: expected whole seconds or a duration such as 1h30m');

const triggerConfig = z.object({
  basePayload: jsonObject,
  machine: z.enum(machines).optional(),
  queue: optionalText(queueLengthMax),
  tags: tagList(runTagsMax).optional(),
  maxAttempts: count(maxAttemptsMax),
  maxDuration: count(maxDurationInSecondsMax),
  lockToVersion: optionalText(lockToVersionLengthMax),
  region: optionalText(regionLengthMax),
  idleTimeoutInSeconds: count(idleTimeoutInSecondsMax),
  concurrency: z.array(concurrencyName).max(concurrencyNamesMax).optional(),
  concurrencyKey: concurrencyKey.optional(),
  externalDeploymentId: externalDeploymentId.optional(),
  ttl: ttl.optional(),
});

const createBody = z
  .object({
    type: name(typeLengthMax),
    taskIdentifier: name(taskIdentifierLengthMax).refine(
      (value) => !value.startsWith('__temporal_'),
      'taskIdentifier cannot start with __temporal_: Temporal keeps that prefix to itself, so no worker could serve it',
    ),
    triggerConfig,
    externalId: externalId.optional(),
    tags: tagList(sessionTagsMax).optional(),
    metadata: jsonObject.optional(),
    expiresAt: moment.optional(),
  })
  .refine((body) => taskQueueBytes(body) <= taskQueueBytesMax, {
    path: ['triggerConfig'],
    message: `taskIdentifier or queue, lockToVersion, machine and region together exceed ${taskQueueBytesMax} bytes`,
  });

/** Of the longest queue name that a run could go to, in the environment with the longest name. */
function taskQueueBytes(body: { taskIdentifier: string; triggerConfig: z.infer<typeof triggerConfig> }): number {
  const options = withoutUndefined(body.triggerConfig);
  const [longest] = taskQueueCandidates({ environment: 'preview', taskIdentifier: body.taskIdentifier, options });
  return Buffer.byteLength(longest);
}

/** Unknown keys are dropped, save inside `basePayload` and `metadata`. */
export function parseCreateBody(value: JsonValue): Result<CreateRequest> {
  const parsed = createBody.safeParse(value);
  if (!parsed.success) {
    const details = fieldProblems(parsed.error);
    return fail({ code: 'invalid_body', message: problemText(details), details });
  }
  const { triggerConfig: config, externalId: id, ...rest } = withoutUndefined(parsed.data);
  return succeed({ ...rest, externalId: id ?? null, triggerConfig: withoutUndefined(config) satisfies TriggerConfig });
}
