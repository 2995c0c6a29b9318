/** What a stream holds, as a run reads it at its boot. */
import type { Api } from '../harness/api.ts';

export interface WrittenRecord {
  readonly seqNum: number;
  readonly data: unknown;
  readonly id: string;
  readonly headers?: readonly (readonly [string, string])[];
}

export async function recordsOf(server: { readonly api: Api }, externalId: string, path = 'out') {
  const { body } = await server.api.call(`${sessionPath(externalId)}/${path}/records`);
  return body.records as WrittenRecord[];
}

export const sessionPath = (key: string): string => `/realtime/v1/sessions/${encodeURIComponent(key)}`;
