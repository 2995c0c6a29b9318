/**
 * Crash and pause points, so that the stories of the lifecycle design are reproducible with real processes.
 * `FAILPOINTS` is a comma list of `<point>=<action>[@<nth hit>]`; actions: `kill` (SIGKILL of this process),
 * `pause` (SIGSTOP, until someone sends SIGCONT). Each of these fires once. `hold` lets nobody past the point from its
 * nth hit on until someone sends SIGCONT: the calls wait, the process goes on. Unset, a point costs one call.
 */
import { writeSync } from 'node:fs';
import type { Failpoints } from './sessions/ports.ts';

const signals = { kill: 'SIGKILL', pause: 'SIGSTOP', hold: null } as const;

interface Failpoint {
  readonly signal: 'SIGKILL' | 'SIGSTOP' | null;
  hitsLeft: number;
}

const none: Failpoints = { isArmed: false, hit: async () => undefined };

/** Throws on text it cannot read: a test that names no real action would prove nothing. */
export function readFailpoints(text: string | null): Failpoints {
  if (text === null) return none;
  const points = new Map(text.split(',').map(readFailpoint));
  const released = new Promise<void>((resolve) => {
    process.once('SIGCONT', () => {
      for (const [name, { signal }] of points) if (signal === null) points.delete(name);
      resolve();
    });
  });
  return {
    isArmed: true,
    async hit(name) {
      const point = points.get(name);
      if (point === undefined) return;
      point.hitsLeft -= 1;
      if (point.hitsLeft > 0) return;
      const line = `failpoint ${name}: ${point.signal ?? 'hold'}\n`;
      if (point.signal === null) {
        // Any number of callers may be held, more than a pipe takes at once.
        process.stderr.write(line);
        return released;
      }
      // Written before the signal strikes, whatever standard error is.
      writeSync(2, line);
      points.delete(name);
      process.kill(process.pid, point.signal);
      // The signal is asynchronous: give it the turn of the event loop in which it strikes.
      await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
}

function readFailpoint(text: string): [string, Failpoint] {
  const found = /^([A-Za-z:-]+)=(kill|pause|hold)(?:@([1-9]\d{0,5}))?$/.exec(text.trim());
  const [, name, action, nth] = found ?? [];
  if (name === undefined || action === undefined) throw new Error(`FAILPOINTS: cannot read ${JSON.stringify(text)}`);
  return [name, { signal: signals[action as keyof typeof signals], hitsLeft: Number(nth ?? 1) }];
}
