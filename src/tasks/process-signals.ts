/** SIGTERM and SIGINT as one AbortSignal. */
export interface ProcessSignals {
  readonly signal: AbortSignal;
  /** Gives the signals back to Node's own handling. */
  readonly release: () => void;
}

const names = ['SIGTERM', 'SIGINT'] as const;

export function processSignals(): ProcessSignals {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => controller.abort(new Error(name));
  for (const name of names) process.on(name, onSignal);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
