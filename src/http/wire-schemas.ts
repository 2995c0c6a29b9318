/** What the API answers, as schemas: the document shows them, and the functions that make answers are typed by them. */
import { z } from 'zod';
import { finalRunStatuses } from '../domain/run.ts';
import { triggerConfig } from './create-body.ts';
import { jsonObject } from './session-fields.ts';

type Frozen<Value> = Value extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : Value extends object
    ? { readonly [Key in keyof Value]: Frozen<Value[Key]> }
    : Value;

/** What a function that makes such an answer returns. */
export type Wire<Schema extends z.ZodType> = Frozen<z.input<Schema>>;

const instant = z.iso.datetime();

const runId = z.string().meta({ description: 'Friendly ID of a run, prefixed with `run_`.', examples: ['run_def456'] });

/** The page's six required keys, and those that clients' own schemas want in every answer: null, never absent. */
const sessionFields = {
  id: z.string().meta({
    description: "The session's friendly ID, prefixed with `session_`.",
    examples: ['session_abc123'],
  }),
  externalId: z
    .string()
    .nullable()
    .meta({
      description: 'Your stable identity for the session, if one was set.',
      examples: ['chat_1234'],
    }),
  type: z.string().meta({ description: 'The session type discriminator.', examples: ['chat.agent'] }),
  taskIdentifier: z
    .string()
    .meta({ description: 'The task this session triggers runs against.', examples: ['my-chat'] }),
  triggerConfig: triggerConfig.optional(),
  currentRunId: z
    .string()
    .nullable()
    .optional()
    .meta({
      description: 'Friendly ID of the live run for this session, if any. Prefixed with `run_`. Omitted on list rows.',
      examples: ['run_def456'],
    }),
  tags: z.array(z.string()).meta({ description: 'Tags on the session row.', examples: [['chat:1234']] }),
  metadata: jsonObject.nullable().meta({ description: 'Arbitrary JSON metadata, or `null` if unset.' }),
  closedAt: instant.nullable().meta({ description: 'When the session was closed, or `null` if open.' }),
  closedReason: z
    .string()
    .nullable()
    .meta({ description: 'The optional reason recorded when the session was closed.' }),
  expiresAt: instant.nullable().meta({ description: "The session's retention deadline, or `null` if none." }),
  createdAt: instant,
  updatedAt: instant,
};

export const sessionObject = z.object(sessionFields).meta({ id: 'SessionObject', description: 'A session row.' });

export const createdSession = z
  .intersection(
    sessionObject,
    z.object({
      runId: z.string().meta({
        description: 'Friendly ID of the first run triggered alongside the session.',
        examples: ['run_def456'],
      }),
      publicAccessToken: z.string().meta({
        description:
          'Session-scoped public access token carrying `read:sessions:{key}` and `write:sessions:{key}`. Default TTL is 1 hour. Safe to pass to frontend clients.',
      }),
      isCached: z.boolean().meta({
        description:
          '`true` if an open session already existed for this `externalId` (idempotent upsert), `false` if newly created.',
      }),
      pendingVersion: z.literal(true).optional().meta({
        description: 'Present when the run waits for a version that no worker serves yet.',
      }),
    }),
  )
  .meta({ id: 'CreatedSessionResponseBody' });

export const sessionPage = z
  .object({
    data: z.array(sessionObject).meta({ description: 'Newest first, without `triggerConfig` and `currentRunId`.' }),
    pagination: z.object({
      next: z.string().optional().meta({ description: 'For `page[after]`; absent where there are no older rows.' }),
      previous: z
        .string()
        .optional()
        .meta({ description: 'For `page[before]`; absent where there are no newer rows.' }),
    }),
  })
  .meta({ id: 'ListSessionsResponseBody' });

export const handedOver = z
  .object({
    runId: runId.meta({ description: 'The run that is current now.' }),
    swapped: z.boolean().meta({ description: 'Whether this call made that run.' }),
    pendingVersion: z.literal(true).optional(),
  })
  .meta({ id: 'EndAndContinueResponseBody' });

const runStatus = z.enum(['QUEUED', 'PENDING_VERSION', 'EXECUTING', ...finalRunStatuses]);
const count = z.int().min(0);
const json = z.unknown();

export const runObject = z
  .object({
    id: runId,
    status: runStatus,
    taskIdentifier: z.string(),
    isQueued: z.boolean(),
    isExecuting: z.boolean(),
    isWaiting: z.boolean(),
    isCompleted: z.boolean().meta({ description: 'Whether the status is final.' }),
    isSuccess: z.boolean(),
    isFailed: z.boolean(),
    isCancelled: z.boolean(),
    isTest: z.boolean(),
    createdAt: instant,
    updatedAt: instant,
    startedAt: instant.optional(),
    finishedAt: instant.optional(),
    expiredAt: instant.optional(),
    durationMs: count.meta({ description: 'Of wall clock, from the first claim.' }),
    ttl: z.string().optional(),
    version: z.string().optional(),
    region: z.string().optional(),
    tags: z.array(z.string()),
    costInCents: z.number(),
    baseCostInCents: z.number(),
    depth: count,
    triggerFunction: z.literal('trigger'),
    relatedRuns: z.object({}),
    payload: json,
    output: json.optional(),
    error: z.object({ name: z.string(), message: z.string(), stackTrace: z.string().optional() }).optional(),
    attemptCount: count,
  })
  .meta({ id: 'RunObject' });

export const canceledRun = z.object({ id: runId }).meta({ id: 'CanceledRunResponseBody' });

export const appended = z
  .object({
    ok: z.literal(true),
    seq: count.meta({
      description: 'Place of the record in its channel; of the first one where the part id was known.',
    }),
    pendingVersion: z.literal(true).optional().meta({
      description: 'The run that is to meet the record waits for a worker of the version that it is locked to.',
    }),
  })
  .meta({ id: 'AppendResponseBody' });

export const writtenRecords = z
  .object({
    ok: z.literal(true),
    seqs: z.array(count).meta({ description: 'Place of each record in its channel, in the order of the request.' }),
  })
  .meta({ id: 'WriteRecordsResponseBody' });

/** Name and value. */
const recordHeaders = z.array(z.array(z.string()).length(2));

export const channelRecords = z
  .object({
    records: z.array(
      z.object({
        data: json.meta({
          description: 'A text for what was appended over HTTP, an object from a writer; empty for control records.',
        }),
        id: z.string(),
        seqNum: count,
        headers: recordHeaders.optional(),
      }),
    ),
  })
  .meta({ id: 'ChannelRecordsResponseBody' });

/** One line of `details`: a field, and what is wrong with it. */
const fieldProblem = z.object({
  code: z.string().meta({ description: 'The error code', examples: ['custom'] }),
  message: z.string().meta({ description: 'The error message', examples: ['Invalid status values: FOOBAR'] }),
  path: z
    .array(z.string())
    .optional()
    .meta({ description: 'The relevant path in the request', examples: [['filter[status]']] }),
});

export const errorResponse = z
  .object({ error: z.string().meta({ examples: ['Something went wrong'] }) })
  .meta({ id: 'ErrorResponse' });

export const errorWithDetails = z
  .object({
    error: z.string().meta({ examples: ['Query Error'] }),
    details: z.array(fieldProblem).optional(),
  })
  .meta({ id: 'ErrorWithDetailsResponse' });

export const tokenOrderError = z
  .object({ error: z.string(), issues: z.array(fieldProblem).optional() })
  .meta({ id: 'ErrorWithIssuesResponse' });

/** For clients that tell refusals apart by a code. */
export const codedError = z
  .object({
    error: z.string(),
    code: z.string(),
    param: z.string().optional(),
    type: z.string().optional(),
  })
  .meta({ id: 'CodedErrorResponse' });

/** Which of the scopes that were asked for the key does not have itself. */
export const deniedScopesError = z
  .object({ error: z.string(), code: z.literal('scopes_exceed_key_access'), deniedScopes: z.array(z.string()) })
  .meta({ id: 'DeniedScopesErrorResponse' });

export const channelError = z
  .object({
    ok: z.literal(false),
    error: z.string(),
    code: z.enum(['session_closed', 'attempt_fenced']).optional(),
    closedReason: z.string().optional(),
  })
  .meta({ id: 'ChannelErrorResponse' });
