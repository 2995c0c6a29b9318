import { z } from 'zod';
import { smallBodyBytesMax } from '../../domain/limits.ts';
import { runToActOn } from '../addressed-run.ts';
import type { HttpParts } from '../http-parts.ts';
import { readBody } from '../json-body.ts';
import type { JsonBody } from '../operation.ts';
import { orRefuse } from '../refusal.ts';
import { callerOf, type Route } from '../route.ts';
import type { Wire } from '../wire-schemas.ts';

const cursorBody: JsonBody<{ readonly seq: number }> = {
  schema: z
    .object({ seq: z.int().min(0).meta({ description: 'Everything up to this `seq` of `in` is consumed.' }) })
    .meta({ id: 'CommitCursorRequestBody' }),
  bytesMax: smallBodyBytesMax,
  refusals: 'plain',
};

const committed = z
  .object({ cursor: z.int().min(0).meta({ description: 'Next `seq` of `in` that no run has consumed.' }) })
  .meta({ id: 'CommitCursorResponseBody' });

/** Ours, not the protocol's: how far a run has consumed `in` (architecture section 5). */
export const commitCursorRoute = ({ useCases }: Pick<HttpParts, 'useCases'>): Route => ({
  method: 'POST',
  path: '/api/v1/runs/:run/cursor',
  crossOrigin: false,
  credential: 'scoped secret',
  operation: {
    id: 'commit_cursor',
    tag: 'runs',
    summary: 'Commit what a run has consumed',
    description:
      'Moves the cursor of `in` forward, never back: no later attempt and no later run is given those messages again. A `turn-complete` record does the same.',
    body: cursorBody,
    answers: { 200: { description: 'Where the cursor stands now.', schema: committed } },
    refusals: ['scope_missing', 'run_not_found', 'run_superseded'],
  },
  async answer(exchange) {
    const { environment, attempt } = callerOf(exchange);
    const { seq } = await readBody(exchange, cursorBody);
    const runId = await runToActOn(exchange, useCases);
    const order = { environmentId: environment.id, runId, attempt, seq };
    exchange.body = orRefuse(await useCases.commitCursor(order)) satisfies Wire<typeof committed>;
  },
});
