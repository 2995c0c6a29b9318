/** Our end of the process that measures the bare engine. */
import type { StopStack } from '../../src/stop-stack.ts';
import { forkProgram } from '../forked-program.ts';
import type { EngineAnswer, EngineOrder, MeasuredEngine } from './engine-program.ts';

export interface EngineProcess {
  readonly pid: number;
  /** One at a time. */
  measure(order: EngineOrder): Promise<MeasuredEngine>;
}

export async function startEngineProcess(
  { temporalAddress, namespace }: { readonly temporalAddress: string; readonly namespace: string },
  stops: StopStack,
): Promise<EngineProcess> {
  const engine = forkProgram<EngineOrder, EngineAnswer>(
    { program: new URL('./engine-program.ts', import.meta.url), args: [temporalAddress, namespace] },
    stops,
  );
  await engine.next();
  return {
    pid: engine.pid,
    async measure(order) {
      engine.send(order);
      const measured = await engine.next();
      if (measured.kind !== 'measured') throw new Error('the process that measures the engine answered out of turn');
      return measured;
    },
  };
}
