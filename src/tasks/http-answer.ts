/** What the calls of the task module to the server have in common. */

/** Some other server may be speaking: nobody's answer is read without an end. */
export async function readBounded(response: Response, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The cause says which of refused, reset or unknown host hides behind "fetch failed". */
export function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return code === '' ? error.message : `${error.message} (${code})`;
}

/** Statuses below 500 that another try may mend. */
export const passingStatuses: ReadonlySet<number> = new Set([408, 425, 429]);

/** Half to all of the pause: clients that lost the same server do not come back in step. */
export const jittered = (pauseMs: number): number => pauseMs * (0.5 + Math.random() / 2);
