/** The one id under which Temporal orders a session's transitions; derived, so that every caller finds the same. */
import { createHash } from 'node:crypto';
import type { EnvironmentName } from '../domain/ids.ts';

/** Temporal caps ids at 1,000 bytes; beyond this a digest reads as well as the text. */
const plainLengthMax = 200;

/**
 * `session/<environment>/<externalId>`; `#<digest>` in its place when it is long or not plain ASCII, `=<request key>`
 * when there is none. Plain ids never begin with those two characters, so the three forms cannot meet.
 */
export function workflowIdOf(environment: EnvironmentName, externalId: string | null, requestKey: string): string {
  return `session/${environment}/${externalId === null ? `=${plainOrDigest(requestKey)}` : plainOrDigest(externalId)}`;
}

function plainOrDigest(text: string): string {
  if (text.length <= plainLengthMax && /^[\x21-\x7e]+$/.test(text) && !/^[#=]/.test(text)) return text;
  return `#${createHash('sha256').update(text).digest('hex')}`;
}
