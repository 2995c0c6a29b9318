/** Runs one step of the gate in a process group of its own, so that a time-out leaves none of its children behind. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

/**
 * @typedef {object} StepResult
 * @property {boolean} ok
 * @property {number} seconds
 * @property {string} output empty for a live step
 */

/** @typedef {{ cwd?: string, extraArgs?: readonly string[], environment?: Record<string, string> }} RunOptions */

/** @type {Set<number>} */
const groups = new Set();

/** Asks what is still running to end. @param {'SIGTERM' | 'SIGKILL'} signal */
export function stopSteps(signal) {
  for (const group of groups) signalGroup(group, signal);
}

/** @param {number} group @param {'SIGTERM' | 'SIGKILL'} signal */
function signalGroup(group, signal) {
  try {
    process.kill(-group, signal);
  } catch {
    // The group is gone, which is what we want.
  }
}

/**
 * @param {import('./steps.mjs').Step} step
 * @param {RunOptions} [options]
 * @returns {Promise<StepResult>}
 */
export function runStep(step, options = {}) {
  const startedAt = performance.now();
  const timeoutMinutes = step.timeoutMinutes ?? 5;
  const { child, output } = start(step, options);
  return new Promise((resolve) => {
    /** @param {boolean} exitedWell @param {string} note */
    const finish = (exitedWell, note) => {
      clearTimeout(deadline);
      if (child.pid !== undefined) {
        signalGroup(child.pid, 'SIGKILL');
        groups.delete(child.pid);
      }
      const text = output.map((textSoFar) => textSoFar()).join('');
      const blind = exitedWell && step.scanned !== undefined && !(Number(step.scanned.exec(text)?.[1] ?? 0) > 0);
      resolve({
        ok: exitedWell && !blind,
        seconds: (performance.now() - startedAt) / 1000,
        output: text + note + (blind ? `\n${step.name} looked at no file: that is no pass.\n` : ''),
      });
    };
    const deadline = setTimeout(
      () => finish(false, `\n${step.name}: no end within ${timeoutMinutes} minutes.\n`),
      timeoutMinutes * 60_000,
    );
    child.on('error', (error) => finish(false, `\n${error.message}\n`));
    child.on('close', (code) => finish(code === 0, ''));
  });
}

/** @param {import('./steps.mjs').Step} step @param {RunOptions} options */
function start(step, { cwd = process.cwd(), extraArgs = [], environment = {} }) {
  const [program = '', ...args] = step.command;
  const command = program === 'node' ? process.execPath : join(cwd, 'node_modules', '.bin', program);
  // Captured output is parsed, so it must come without colours.
  const plain = step.live ? {} : { NO_COLOR: '1', FORCE_COLOR: undefined };
  const child = spawn(command, [...args, ...extraArgs], {
    cwd,
    detached: true,
    stdio: step.live ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...plain, ...environment },
  });
  if (child.pid !== undefined) groups.add(child.pid);
  return { child, output: [child.stdout, child.stderr].map(collect) };
}

/** @param {import('node:stream').Readable | null} stream @returns {() => string} what it has brought so far */
function collect(stream) {
  let text = '';
  stream?.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  return () => text;
}
