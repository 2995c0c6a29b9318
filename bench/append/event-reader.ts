/** An answer that is read as it comes, over a socket of its own; and the server-sent events in it. */
import { AnswerReader } from '../http-answer.ts';
import { openSocket } from '../http-connection.ts';

export interface BodyReader {
  /** Resolves when the answer is complete; rejects when it is cut off. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Resolves when the answer's head has arrived. @param onBody the pieces of the body as they come */
export async function readBodyOf(
  { url, request }: { readonly url: URL; readonly request: string },
  onBody: (bytes: Buffer) => void,
): Promise<BodyReader> {
  const socket = await openSocket(url);
  const reader = new AnswerReader(onBody);
  let begin: () => void = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const ended = new Promise<void>((resolve, reject) => {
    socket.on('data', (bytes) => {
      const isComplete = reader.take(bytes);
      if (reader.head !== null && reader.head.status !== 200) reject(new Error(`not served: ${reader.head.text}`));
      if (reader.head !== null) begin();
      if (isComplete) resolve();
    });
    socket.on('close', () => reject(new Error('an answer was cut off')));
  });
  // Who wants to know waits for it.
  ended.catch(() => {});
  socket.write(request);
  await Promise.race([begun, ended]);
  return { ended, close: () => void socket.destroy() };
}

/** The events in a body that comes in pieces. */
export function splitEvents(onEvent: (event: string) => void): (bytes: Buffer) => void {
  let rest = '';
  return (bytes) => {
    // Records of the bench are ASCII, so no character is torn between two pieces.
    const events = (rest + bytes.toString('latin1')).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) onEvent(event);
  };
}
