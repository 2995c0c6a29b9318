/** A JSON body by the schema that also describes it. */
import type { JsonValue } from '../domain/trigger-config.ts';
import type { BodyRules, JsonBody } from './operation.ts';
import { fieldProblems, problemText } from './problems.ts';
import { readJson } from './read-json.ts';
import { type HttpFailure, refuse } from './refusal.ts';
import type { Exchange } from './route.ts';

/** The parsed body; refuses in the words of the route's family. */
export async function readBody<Output>(exchange: Exchange, body: JsonBody<Output>): Promise<Output> {
  const parsed = parseBody(body, await readJson(exchange, body));
  return parsed.ok ? parsed.value : refuse(parsed.failure);
}

export type ParsedBody<Output> =
  | { readonly ok: true; readonly value: Output }
  | { readonly ok: false; readonly failure: HttpFailure };

export function parseBody<Output>(body: JsonBody<Output>, value: JsonValue): ParsedBody<Output> {
  const parsed = body.schema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const details = fieldProblems(parsed.error);
  return { ok: false, failure: bodyFailure(body, details) };
}

function bodyFailure({ refusals, malformed }: BodyRules, details: ReturnType<typeof fieldProblems>): HttpFailure {
  if (malformed !== undefined) return { code: 'token_order_invalid', message: malformed, issues: details };
  const message = problemText(details);
  return refusals === 'detailed' ? { code: 'invalid_body', message, details } : { code: 'body_malformed', message };
}
