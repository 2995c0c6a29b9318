/** What zod found wrong, as the wire tells it. Neither messages nor paths repeat a caller's values. */
import type { ZodError } from 'zod';
import type { FieldProblem } from '../domain/failure.ts';
import { problemsMax } from './server-limits.ts';

export function fieldProblems(error: ZodError): readonly FieldProblem[] {
  return error.issues
    .slice(0, problemsMax)
    .map(({ code, message, path }) => ({ code, message, path: path.map((key) => String(key)) }));
}

/** One sentence for people: `Validation error: <message> at "<path>"; ...`. */
export function problemText(problems: readonly FieldProblem[]): string {
  const parts = problems.map(({ message, path }) =>
    path.length === 0 ? message : `${message} at "${path.join('.')}"`,
  );
  return `Validation error: ${parts.join('; ')}`;
}
