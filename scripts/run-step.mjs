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

/** Ends what is still running; for signals. */
export function stopSteps() {
  for (const group of groups) killGroup(group);
}

/** @param {number} group */
function killGroup(group) {
  try {
    process.kill(-group, 'SIGKILL');
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
        killGroup(child.pid);
        groups.delete(child.pid);
      }
      const text = output.join('');
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
  const child = spawn(command, [...args, ...extraArgs], {
    cwd,
    detached: true,
    stdio: step.live ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...(step.live ? {} : { NO_COLOR: '1', FORCE_COLOR: undefined }), ...environment },
  });
  if (child.pid !== undefined) groups.add(child.pid);
  /** @type {string[]} */
  const output = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (/** @type {string} */ text) => output.push(text));
  }
  return { child, output };
}
