/** Parts stop in the reverse order of their start, each within its own time, whatever the others do. */
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
        await within(step.stop(), step.deadlineMs);
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

async function within(work: Promise<unknown>, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`did not stop within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
