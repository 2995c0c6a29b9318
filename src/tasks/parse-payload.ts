/** From the JSON that a session was created with to the payload that a task declares. */
import type { JsonObject } from '../domain/trigger-config.ts';
import type { StandardIssue, StandardSchema } from './standard-schema.ts';

/**
 * Either a function that returns the payload or throws, or a Standard Schema. It sees the session's
 * `basePayload` together with the fields that the server adds (`sessionId`, and others in a continuation).
 */
export type PayloadParser<Payload> = ((payload: JsonObject) => Payload | Promise<Payload>) | StandardSchema<Payload>;

/** Enough to mend a payload by; a schema may report one issue per element of a long list. */
const issuesShownMax = 10;

export async function parsePayload<Payload>(parser: PayloadParser<Payload>, payload: JsonObject): Promise<Payload> {
  if (!('~standard' in parser)) return await parser(payload);
  const result = await parser['~standard'].validate(payload);
  if (result.issues === undefined) return result.value;
  throw new Error(describeIssues(result.issues));
}

function describeIssues(issues: readonly StandardIssue[]): string {
  const shown = issues.slice(0, issuesShownMax).map((issue) => {
    const path = (issue.path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
    return path === '' ? issue.message : `${path}: ${issue.message}`;
  });
  const hidden = issues.length - shown.length;
  return hidden > 0 ? `${shown.join('; ')}; and ${hidden} more` : shown.join('; ');
}
