/** Everything that a server says on one connection, as HTTP/1.1 answers in their order. */
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

export interface WireAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

const silenceMs = 20_000;

/** Writes the pieces one by one, and reads until the server ends the connection. Fails when it never does. */
export async function answersOf(url: string, pieces: readonly Buffer[]): Promise<readonly WireAnswer[]> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.setNoDelay(true);
  const chunks: Buffer[] = [];
  // A server that hangs up on a writer has said what it had to say.
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
  const closed = new Promise<void>((resolve, reject) => {
    socket.once('close', () => resolve());
    socket.setTimeout(silenceMs, () => {
      socket.destroy();
      reject(
        new Error(
          `no end of the answer to ${JSON.stringify(
            Buffer.concat([...pieces])
              .subarray(0, 120)
              .toString('latin1'),
          )}`,
        ),
      );
    });
  });
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  for (const piece of pieces) {
    if (socket.writable) socket.write(piece);
    if (pieces.length > 1) await nextTurn();
  }
  await closed;
  return parseAnswers(Buffer.concat(chunks).toString('latin1'));
}

function parseAnswers(text: string): WireAnswer[] {
  const answers: WireAnswer[] = [];
  for (let rest = text; rest !== ''; ) {
    const [head = '', line = '', fields = ''] = /^(HTTP\/1\.1 [^\r]*)\r\n((?:[\w-]+:[^\r]*\r\n)*)\r\n/.exec(rest) ?? [];
    if (head === '') return [...answers, { status: 0, headers: new Headers(), body: rest }];
    const headers = new Headers(
      [...fields.matchAll(/([\w-]+): *([^\r]*)\r\n/g)].map(([, name = '', value = '']) => [name, value]),
    );
    const length = Number(headers.get('content-length') ?? 0);
    answers.push({ status: Number(line.slice(9, 12)), headers, body: rest.slice(head.length, head.length + length) });
    rest = rest.slice(head.length + length);
  }
  return answers;
}
