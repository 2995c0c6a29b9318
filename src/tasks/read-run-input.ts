/** The argument of a run's activity, checked: whoever may write to the Temporal namespace can send one. */
import { z } from 'zod';
import type { RunInput } from '../domain/run-input.ts';

const runInputSchema = z.object({
  run: z.object({ id: z.string().regex(/^run_[a-z0-9]{1,64}$/), number: z.int().min(1), reason: z.string() }),
  session: z.object({ id: z.string(), externalId: z.string().nullable(), key: z.string() }),
  payload: z.record(z.string(), z.unknown()),
  tags: z.array(z.string()),
  maxDuration: z.number().nullable(),
  idleTimeoutInSeconds: z.number().nullable(),
  api: z.object({ url: z.url({ protocol: /^https?$/ }), claim: z.string().startsWith('/') }),
});

export type RunInputResult =
  | { readonly ok: true; readonly input: RunInput }
  | { readonly ok: false; readonly problem: string };

/** Fields that a newer server adds are dropped. */
export function readRunInput(value: unknown): RunInputResult {
  const parsed = runInputSchema.safeParse(value);
  if (parsed.success) return { ok: true, input: parsed.data as unknown as RunInput };
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  return { ok: false, problem: `not a run's input: ${problems.join('; ')}` };
}
