import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  externalIdLengthMax,
  idempotencyKeyLengthMax,
  tagLengthMax,
  waitBodyBytesMax,
  waitpointTagsMax,
} from '../../domain/limits.ts';
import { mayReadSession, permits } from '../../domain/scope.ts';
import { parseDuration, parseTimeout, type Timeout } from '../../domain/waitpoint.ts';
import { runToJudge } from '../addressed-run.ts';
import type { HttpParts } from '../http-parts.ts';
import { readBody } from '../json-body.ts';
import { keysOf } from '../named-stream.ts';
import type { JsonBody } from '../operation.ts';
import { orRefuse, refuse } from '../refusal.ts';
import { type Caller, callerOf, type Route } from '../route.ts';
import { name, text } from '../session-fields.ts';

const timeout = z.string().transform((value, issues): Timeout => {
  const parsed = parseTimeout(value);
  if (parsed !== null) return parsed;
  issues.addIssue({ code: 'custom', message: 'Expected a duration such as 1h30m, or an ISO date' });
  return z.NEVER;
});

const duration = z.string().transform((value, issues): number => {
  const parsed = parseDuration(value);
  if (parsed !== null) return parsed;
  issues.addIssue({ code: 'custom', message: 'Expected a duration such as 1h30m' });
  return z.NEVER;
});

const tag = text(tagLengthMax);

const waitFields = z.object({
  session: name(externalIdLengthMax).meta({
    description: 'Id or external id; an external id may be of a session that is yet to be created.',
  }),
  io: z.enum(['in', 'out']),
  timeout: timeout.optional().meta({ description: 'A duration such as `1h30m`, or an ISO date.' }),
  idempotencyKey: z.string().max(idempotencyKeyLengthMax).optional(),
  idempotencyKeyTTL: duration.optional().meta({ description: 'A duration such as `1h30m`.' }),
  // Their number has a refusal of its own.
  tags: z.union([tag, z.array(tag)]).optional(),
  lastSeqNum: z.int().min(-1).optional().meta({ description: 'Only a record after this one completes the wait.' }),
});

const waitBody: JsonBody<z.output<typeof waitFields>> = {
  schema: waitFields.meta({ id: 'WaitOnStreamRequestBody' }),
  bytesMax: waitBodyBytesMax,
  refusals: 'plain',
};

const registeredWait = z
  .object({ waitpointId: z.string(), isCached: z.boolean() })
  .meta({ id: 'WaitOnStreamResponseBody' });

/** A run registers that it waits for the next record (protocol section 8.1). */
export const waitOnStreamRoute = ({
  waitpoints,
  streams,
  useCases,
}: Pick<HttpParts, 'waitpoints' | 'streams' | 'useCases'>): Route => ({
  method: 'POST',
  path: '/api/v1/runs/:run/session-streams/wait',
  crossOrigin: false,
  credential: 'scoped secret',
  operation: {
    id: 'wait_on_stream',
    tag: 'runs',
    summary: 'Register that a run waits for the next record',
    description: 'Completed with the first record after `lastSeqNum`, also when that is there already.',
    body: waitBody,
    answers: { 200: { description: 'The waitpoint; hold it next.', schema: registeredWait } },
    refusals: [
      'scope_missing',
      'run_not_found',
      'session_not_found',
      'too_many_waitpoint_tags',
      'run_superseded',
      'waits_crowded',
    ],
  },
  async answer(exchange) {
    const { environment, attempt } = callerOf(exchange);
    const body = await readBody(exchange, waitBody);
    const tags = tagsOf(body.tags);
    const runId = await runToJudge(exchange, useCases);
    if (!(await mayWaitOn(streams, callerOf(exchange), body.session))) return refuse({ code: 'scope_missing' });
    exchange.body = orRefuse(
      await waitpoints.register({
        environment,
        runId,
        attempt,
        sessionKey: body.session,
        stream: body.io,
        after: body.lastSeqNum ?? -1,
        timeout: body.timeout ?? null,
        idempotency: idempotencyOf(body),
        tags,
      }),
    );
  },
});

/** What completes the wait is told to the run, so whoever waits must be able to read it. */
async function mayWaitOn(streams: HttpParts['streams'], { environment, grant }: Caller, key: string): Promise<boolean> {
  if (grant.kind === 'all') return true;
  return permits(grant, mayReadSession(keysOf(key, await streams.locate(environment, key))));
}

function tagsOf(tags: string | readonly string[] | undefined): readonly string[] {
  const list = typeof tags === 'string' ? [tags] : (tags ?? []);
  return list.length > waitpointTagsMax ? refuse({ code: 'too_many_waitpoint_tags', count: list.length }) : list;
}

function idempotencyOf({ idempotencyKey, idempotencyKeyTTL }: z.infer<typeof waitFields>) {
  if (idempotencyKey === undefined || idempotencyKey === '') return null;
  const digest = createHash('sha256').update(idempotencyKey).digest('base64url');
  return { digest, ttlMs: idempotencyKeyTTL ?? null };
}
