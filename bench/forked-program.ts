/** A program of a bench in a process of its own, gone with the bench however that ends. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { StopStack } from '../src/stop-stack.ts';

export interface ForkedProgram<Order extends object, Answer> {
  readonly pid: number;
  send(order: Order): void;
  /** Its next message. Rejects when it ends instead. */
  next(): Promise<Answer>;
}

export interface Program {
  readonly program: URL;
  readonly args: readonly string[];
  /** It has a log of its own that nobody reads. */
  readonly isQuiet?: boolean;
}

/** @param program must end when this process lets go of it: `process.on('disconnect', ...)` */
export function forkProgram<Order extends object, Answer>(
  { program, args, isQuiet = false }: Program,
  stops: StopStack,
): ForkedProgram<Order, Answer> {
  const name = program.pathname.split('/').at(-1) ?? '';
  const child = fork(fileURLToPath(program), args, {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', isQuiet ? 'ignore' : 'inherit', isQuiet ? 'ignore' : 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  stops.push(
    name,
    async () => {
      child.kill('SIGKILL');
      await exited;
    },
    5_000,
  );
  return {
    pid: child.pid ?? 0,
    send: (order) => void child.send(order),
    async next() {
      const [message] = await Promise.race([
        once(child, 'message'),
        exited.then(() => {
          throw new Error(`${name} ended by itself`);
        }),
      ]);
      return message as Answer;
    },
  };
}
