/** From what a task returned to the JSON that is its run's output. */
import { runOutputBytesMax } from '../domain/limits.ts';
import type { JsonValue } from '../domain/trigger-config.ts';

export type SerialisedOutput =
  | { readonly ok: true; readonly output: JsonValue }
  | { readonly ok: false; readonly problem: string };

/**
 * By the rules of `JSON.stringify`, and read back, so that what crosses Temporal is plain JSON whatever
 * payload converter would have fitted the value (bytes, for one, have their own).
 */
export function serialiseOutput(value: unknown): SerialisedOutput {
  if (value === undefined) return { ok: true, output: null };
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, problem: `the task returned a value that is not JSON: ${why}` };
  }
  if (text === undefined) return { ok: false, problem: `the task returned a ${typeof value}, which is not JSON` };
  const bytes = Buffer.byteLength(text);
  if (bytes >= runOutputBytesMax) {
    return {
      ok: false,
      problem: `the task returned ${bytes} bytes of JSON; less than ${runOutputBytesMax} are allowed`,
    };
  }
  return { ok: true, output: JSON.parse(text) as JsonValue };
}
