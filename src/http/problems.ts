/** What zod found wrong, as the wire tells it. Neither messages nor paths repeat a caller's values. */
import type { ZodError, ZodType } from 'zod';
import type { FieldProblem } from '../domain/failure.ts';
import type { JsonValue } from '../domain/trigger-config.ts';
import { refuse } from './refusal.ts';
import { problemsMax } from './server-limits.ts';

export function fieldProblems(error: ZodError): readonly FieldProblem[] {
  return error.issues
    .slice(0, problemsMax)
    .map(({ code, message, path }) => ({ code, message, path: path.map((key) => String(key)) }));
}

/** For the routes that tell all of a body's faults in one text (protocol section 1.3). */
export function validOrRefuse<Output>(schema: ZodType<Output>, body: JsonValue): Output {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  return refuse({ code: 'body_malformed', message: problemText(fieldProblems(parsed.error)) });
}

/** One sentence for people: `Validation error: <message> at "<path>"; ...`. */
export function problemText(problems: readonly FieldProblem[]): string {
  const parts = problems.map(({ message, path }) =>
    path.length === 0 ? message : `${message} at "${path.join('.')}"`,
  );
  return `Validation error: ${parts.join('; ')}`;
}
