/** The body of a create, parsed once: every limit of every field (seed page; protocol section 3.2). */
import { z } from 'zod';
import type { CreateRequest } from '../domain/create-session.ts';
import {
  concurrencyKeyLengthMax,
  concurrencyNamesMax,
  createBodyBytesMax,
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
import { durationPattern, machines, parseDurationSeconds, type TriggerConfig } from '../domain/trigger-config.ts';
import type { JsonBody } from './operation.ts';
import { externalId, jsonObject, name, tagList, text, withoutUndefined } from './session-fields.ts';

/** The seed sets no least length: empty says what absence says. */
const optionalText = (lengthMax: number) => text(lengthMax).transform(absentIfEmpty).optional();

const absentIfEmpty = (value: string): string | undefined => (value === '' ? undefined : value);

const count = (max: number) => z.int().min(1).max(max).optional();

/** Ends of what both `timestamptz` and ISO 8601 with four digits of year can say. */
const dateMin = new Date('1970-01-01T00:00:00.000Z');
const dateMax = new Date('9999-12-31T23:59:59.999Z');

/** A date-time with its offset; as the reference does, milliseconds since 1970 are taken for one. */
const moment = z
  .preprocess(
    (value) => (typeof value === 'number' ? isoText(value) : value),
    z.iso.datetime({ offset: true, error: 'Invalid input: expected an ISO 8601 date-time with its offset' }),
  )
  .transform((value) => new Date(value))
  .pipe(z.date().min(dateMin).max(dateMax));

function isoText(atMs: number): string | null {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

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
  .union(
    [z.string().regex(durationPattern, { abort: true }), z.int().min(0)],
    'Invalid input: expected whole seconds or a duration such as 1h30m',
  )
  .refine((value) => {
    const seconds = parseDurationSeconds(value);
    return seconds !== null && seconds <= maxDurationInSecondsMax;
  }, 'Invalid duration: expected whole seconds or a duration such as 1h30m');

export const triggerConfig = z
  .object({
    basePayload: jsonObject.meta({
      description:
        'Base payload passed to every run this session triggers. For `chat.agent` this carries `{ chatId, ...clientData }`.',
    }),
    machine: z
      .enum(machines)
      .optional()
      .meta({ description: 'Machine preset for each run.', examples: ['small-1x'] }),
    queue: optionalText(queueLengthMax).meta({ description: 'Queue to schedule runs on.' }),
    tags: tagList(runTagsMax).optional().meta({ description: 'Tags applied to every run this session triggers.' }),
    maxAttempts: count(maxAttemptsMax).meta({ description: 'Maximum retry attempts per run.' }),
    maxDuration: count(maxDurationInSecondsMax).meta({ description: 'Per-run wall-clock cap in seconds.' }),
    lockToVersion: optionalText(lockToVersionLengthMax).meta({
      description: 'Pin every run to a specific worker version.',
      examples: ['20240523.1'],
    }),
    region: optionalText(regionLengthMax).meta({ description: 'Region to schedule runs in.' }),
    idleTimeoutInSeconds: count(idleTimeoutInSecondsMax).meta({
      description: 'Idle timeout surfaced to `chat.agent` via the wire payload.',
    }),
    concurrency: z
      .array(concurrencyName)
      .max(concurrencyNamesMax)
      .optional()
      .meta({ description: 'Names of concurrency limits. Kept, without effect.' }),
    concurrencyKey: concurrencyKey
      .optional()
      .meta({ description: 'Runs with one key share their place in the queue.' }),
    externalDeploymentId: externalDeploymentId.optional().meta({
      description: 'Deployment to run on; null or blank means none. Kept, without effect.',
    }),
    ttl: ttl.optional().meta({
      description: 'A run that no worker took within this time expires: seconds, or a duration such as `1h30m`.',
    }),
  })
  .meta({
    id: 'SessionTriggerConfig',
    description:
      'Trigger options applied to every run a session schedules. `basePayload` is the wire payload merged into each run; the remaining fields map onto the standard trigger options.',
  });

/** Unknown keys are dropped, save inside `basePayload` and `metadata`. */
const createFields = z
  .object({
    type: name(typeLengthMax).meta({
      description: 'Free-form discriminator for the session, e.g. `chat.agent`. Not validated against an enum.',
      examples: ['chat.agent'],
    }),
    taskIdentifier: name(taskIdentifierLengthMax)
      .refine(
        (value) => !value.startsWith('__temporal_'),
        'taskIdentifier cannot start with __temporal_: Temporal keeps that prefix to itself, so no worker could serve it',
      )
      .meta({ description: 'The task this session triggers runs against.', examples: ['my-chat'] }),
    triggerConfig,
    externalId: externalId.optional(),
    tags: tagList(sessionTagsMax)
      .optional()
      .meta({ description: 'Up to 10 tags on the session row, for dashboard filtering.' }),
    metadata: jsonObject.optional().meta({ description: 'Arbitrary JSON metadata.' }),
    expiresAt: moment.optional().meta({ description: 'Absolute expiry timestamp for retention.' }),
  })
  .refine((body) => taskQueueBytes(body) <= taskQueueBytesMax, {
    path: ['triggerConfig'],
    message: `taskIdentifier or queue, lockToVersion, machine and region together exceed ${taskQueueBytesMax} bytes`,
  })
  .meta({
    id: 'CreateSessionRequestBody',
    description: 'Body for `POST /api/v1/sessions`. The whole body must be 32KB or smaller.',
  });

/** Of the longest queue name that a run could go to, in the environment with the longest name. */
function taskQueueBytes(body: { taskIdentifier: string; triggerConfig: z.infer<typeof triggerConfig> }): number {
  const options = withoutUndefined(body.triggerConfig);
  const [longest] = taskQueueCandidates({ environment: 'preview', taskIdentifier: body.taskIdentifier, options });
  return Buffer.byteLength(longest);
}

export const createBody: JsonBody<CreateRequest> = {
  bytesMax: createBodyBytesMax,
  refusals: 'detailed',
  schema: createFields.transform((fields) => {
    const { triggerConfig: config, externalId: id, ...rest } = withoutUndefined(fields);
    return { ...rest, externalId: id ?? null, triggerConfig: withoutUndefined(config) satisfies TriggerConfig };
  }),
};
