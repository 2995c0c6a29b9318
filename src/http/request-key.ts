/** The key that makes a repeated create the same create (architecture section 2.4). */
import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { requestKeyLengthMax } from '../domain/limits.ts';

export const requestKeyHeader = 'x-trigger-request-idempotency-key';

export const requestKeyHeaders = z.object({
  [requestKeyHeader]: z.string().optional().meta({
    description:
      'One for each logical call, the same in its retries: a retry gets the answer that its first try would have got.',
  }),
});

/** @param header empty when the caller sent none: then no other request has the key */
export function requestKeyOf(header: string): string {
  if (header === '') return randomUUID();
  if (header.length <= requestKeyLengthMax && /^[\x21-\x7e]+$/.test(header)) return header;
  // Node hands header bytes over as latin-1.
  return `sha256-${createHash('sha256').update(header, 'latin1').digest('hex')}`;
}
