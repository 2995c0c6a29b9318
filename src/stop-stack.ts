/** Parts stop in the reverse order of their start, each within its own time, whatever the others do. */
import { inTime } from './deadline.ts';

export interface StopStack {
  /** @param stop idempotent; given `deadlineMs` before the next part is stopped */
  push(name: string, stop: () => Promise<unknown>, deadlineMs: number): void;
  /** Never throws; problems are told to `onProblem`. A second call waits for the first. */
  stop(): Promise<void>;
}

interface Step {
  readonly name: string;
  readonly stop: () => Promise<unknown>;
  readonly deadlineMs: number;
}

export function createStopStack(onProblem: (problem: { part: string; error: unknown }) => void): StopStack {
  const steps: Step[] = [];
  let stopping: Promise<void> | null = null;
  const stopAll = async () => {
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      try {
        const late = () => new Error(`did not stop within ${step.deadlineMs} ms`);
        await inTime(step.stop(), step.deadlineMs, late);
      } catch (error) {
        onProblem({ part: step.name, error });
      }
    }
  };
  return {
    push: (name, stop, deadlineMs) => void steps.push({ name, stop, deadlineMs }),
    stop: () => (stopping ??= stopAll()),
  };
}
