/** Our end of the process that measures the bare engine. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { StopStack } from '../../src/stop-stack.ts';
import type { EngineAnswer, EngineOrder, MeasuredEngine } from './engine-program.ts';

export interface EngineProcess {
  readonly pid: number;
  /** One at a time. */
  measure(order: EngineOrder): Promise<MeasuredEngine>;
}

const program = fileURLToPath(new URL('./engine-program.ts', import.meta.url));

export async function startEngineProcess(
  { temporalAddress, namespace }: { readonly temporalAddress: string; readonly namespace: string },
  stops: StopStack,
): Promise<EngineProcess> {
  const child = fork(program, [temporalAddress, namespace], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  stops.push(
    'engine process',
    async () => {
      child.kill('SIGKILL');
      await exited;
    },
    5_000,
  );
  const answer = async (): Promise<EngineAnswer> => {
    const [message] = await Promise.race([
      once(child, 'message'),
      exited.then(() => {
        throw new Error('the process that measures the engine ended by itself');
      }),
    ]);
    return message as EngineAnswer;
  };
  await answer();
  return {
    pid: child.pid ?? 0,
    async measure(order) {
      child.send(order);
      const measured = await answer();
      if (measured.kind !== 'measured') throw new Error('the process that measures the engine answered out of turn');
      return measured;
    },
  };
}
