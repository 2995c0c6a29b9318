/** The body of a unary append, bounded in bytes and time while it arrives. */

import type { Request } from './append-session.ts';
import { s2ReadDeadlineMs, s2UnaryBytesMax } from './limits.ts';
import { refusal, S2Error } from './refusal.ts';

export function readBody(request: Request): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (act: () => void): void => {
      clearTimeout(deadline);
      request.off('data', onData).off('end', onEnd).off('close', onClose).pause();
      act();
    };
    const fail = (code: 'request_too_large' | 'request_timeout' | 'invalid', message: string): void =>
      settle(() => {
        // Thrown away until the server's limit for a request: unread, it would hold up the connection's next one.
        request.resume();
        reject(new S2Error(refusal(code, message)));
      });
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > s2UnaryBytesMax) fail('request_too_large', `An append has at most ${s2UnaryBytesMax} bytes`);
    };
    const onEnd = (): void => settle(() => resolve(Buffer.concat(chunks, bytes)));
    const onClose = (): void => fail('invalid', 'The request was cut off');
    const deadline = setTimeout(() => fail('request_timeout', 'The append did not arrive in time'), s2ReadDeadlineMs);
    // An aborted request emits `error` too; `close` follows and settles.
    request.on('error', () => undefined);
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}
