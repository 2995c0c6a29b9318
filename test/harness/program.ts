/** A TypeScript program of the repository in a process of its own, for what one process cannot show. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Program {
  readonly pid: number;
  /** The next line that matches; fails when the program ends first. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
  /** Everything it has said so far, line by line. */
  said(): readonly string[];
  /** One line of its input. */
  send(line: string): void;
  /** Ends its input. */
  endInput(): void;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves to its exit code, null if a signal ended it. */
  readonly exited: Promise<number | null>;
}

/** @param path of the program, relative to the repository */
export function runProgram(path: string, ...programArguments: readonly string[]): Program {
  const file = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...programArguments], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return programOf(child);
}

function programOf(child: ChildProcess): Program {
  const { pid, stdin, stdout } = child;
  if (pid === undefined || stdin === null || stdout === null) throw new Error('the program could not be started');
  const exited = once(child, 'exit').then(([code]): number | null => code);
  const waiting = new Set<(line: string | null) => void>();
  /** All that it said; null last, once it cannot say more. */
  const said: (string | null)[] = [];
  const hear = (line: string | null) => {
    said.push(line);
    for (const look of waiting) look(line);
  };
  createInterface({ input: stdout })
    .on('line', hear)
    .once('close', () => hear(null));
  return {
    pid,
    exited,
    said: () => said.filter((line) => line !== null),
    send: (line) => void stdin.write(`${line}\n`),
    endInput: () => void stdin.end(),
    async kill(signal = 'SIGKILL') {
      child.kill(signal);
      await exited;
    },
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (line: string | null) => {
          const found = line === null ? null : pattern.exec(line);
          if (found === null && line !== null) return;
          waiting.delete(look);
          if (found === null)
            reject(new Error(`the program ended before it said ${pattern.source}:\n${said.join('\n')}`));
          else resolve(found);
        };
        waiting.add(look);
        for (const line of said) look(line);
      }),
  };
}
